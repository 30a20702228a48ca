/**
 * Names that say that a value is a secret: of a member, or before `=` or `:` in a text. Compared as a whole, without regard
 * to case and separators, and never in part: `password` and `PASS-WORD` are in the list, `password_changed` is not.
 */

import { isHarmless } from './secret-mask.ts';
import { foldText } from './secret-fold.ts';
import type { SecretRule } from './secret-rules.ts';

/**
 * What a value has to look like under a name. `password`: anything; `token`, `cookie`: any text; `otp`, `code`, `pin`, `card`,
 * `cvv`, `ssn`: so many digits; `seed`: a key in letters or words; `webauthn`, `jwk`: their bytes in base64url.
 */
export type NameKind =
  | 'password'
  | 'token'
  | 'cookie'
  | 'otp'
  | 'code'
  | 'pin'
  | 'card'
  | 'cvv'
  | 'ssn'
  | 'seed'
  | 'webauthn'
  | 'jwk';

/** Names without case and separators. */
const NAMES: Readonly<Partial<Record<NameKind, string>>> = {
  password: `password passwd passwort pwd passphrase passcode passwords passwordvalue passwordtext
    plainpassword plaintextpassword cleartextpassword newpassword oldpassword currentpassword previouspassword
    confirmpassword passwordconfirm passwordconfirmation repeatpassword userpassword adminpassword rootpassword
    dbpassword databasepassword loginpassword temporarypassword temppassword defaultpassword smtppassword
    apppassword masterpassword keypassword keystorepassword`,
  token: `token tokens accesstoken refreshtoken idtoken sessiontoken sessionjwt authtoken oauthtoken bearertoken apitoken
    securitytoken resettoken passwordresettoken logintoken remembertoken invitationtoken verificationtoken magictoken
    magiclinktoken personalaccesstoken deploytoken servicetoken xauthtoken xaccesstoken xapitoken xvaulttoken
    csrftoken xsrftoken xcsrftoken xxsrftoken oauthtokensecret accesstokensecret jwt
    authorization proxyauthorization xauthorization
    apikey apikeys xapikey apisecret apisecretkey secret secretkey clientsecret appsecret sharedsecret consumersecret
    webhooksecret signingsecret sessionsecret jwtsecret secretaccesskey awssecretaccesskey accountkey sharedaccesskey
    privatekey privatekeypem signingkey encryptionkey masterkey sshprivatekey
    recoverycode recoverycodes backupcode backupcodes scratchcode scratchcodes recoverykey recoveryphrase
    mnemonic mnemonicphrase seedphrase securityanswer secretanswer
    totpsecret otpsecret hotpsecret mfasecret totpseed otpseed
    authorizationcode authcode devicecode clientassertion samlresponse samlassertion
    biometrictemplate fingerprinttemplate facetemplate iristemplate voicetemplate voiceprint
    pinblock track1 track2 trackdata`,
  cookie: 'cookie cookies setcookie setcookie2',
  otp: `otp otps totp hotp otpcode totpcode hotpcode otpvalue onetimecode onetimepassword onetimepasscode onetimepin
    smscode smsotp emailcode emailotp mfacode mfatoken 2facode twofactorcode verificationcode verifycode confirmationcode
    authenticationcode authenticatorcode logincode securitycode activationcode tan smstan mtan`,
  code: 'code',
  pin: 'pin pincode cardpin userpin currentpin newpin oldpin',
  card: `pan cardnumber cardno ccnumber ccnum creditcard creditcardnumber debitcard debitcardnumber paymentcard
    paymentcardnumber primaryaccountnumber`,
  cvv: 'cvv cvc cvv2 cvc2 csc cid cardcode cardsecuritycode cardverificationcode cardverificationvalue',
  ssn: 'ssn socialsecuritynumber',
  seed: 'seed',
  webauthn: 'clientdatajson authenticatordata authdata attestationobject',
};

const KINDS: ReadonlyMap<string, NameKind> = new Map(
  Object.entries(NAMES).flatMap(([kind, names]) =>
    names.split(/\s+/).map((name) => [name, kind as NameKind] as const),
  ),
);

/** All names, as they are compared. */
export const SECRET_NAMES: readonly string[] = [...KINDS.keys()];

/** No name is longer, whatever separators it has. */
const MAX_NAME = 64;
const MIN_NAME = 3;
const SEPARATORS = /[\s_.$[\]"'-]+/g;
const SEGMENT = /[./:#\\]/;

/** What precedes a `code` that is none to log in with. */
const CODE_OWNERS: ReadonlySet<string> = new Set(
  `error errors status reason result response country currency language locale postal zip area region state city branch bank sort
   event exit return http fault failure exception risk assessment assessments policy rule product item sku promo discount voucher
   coupon qr bar barcode source color mcc merchant category iso alert warning audit action type department cost tax diagnosis airport`
    .trim()
    .split(/\s+/),
);

function normalizeName(name: string): string {
  return foldText(name).toLowerCase().replace(SEPARATORS, '');
}

/** The kind of a name, or of its last part: that of a namespace, a path or a URI comes before it. */
export function kindOfName(name: string): NameKind | undefined {
  if (name.length < MIN_NAME) return undefined;
  const whole = name.length <= MAX_NAME ? KINDS.get(normalizeName(name)) : undefined;
  if (whole !== undefined || !SEGMENT.test(name)) return whole;
  const last = name.slice(-MAX_NAME).split(SEGMENT).at(-1)!;
  return last.length < MAX_NAME ? KINDS.get(normalizeName(last)) : undefined;
}

/** Whether all of a name is in the list: then it tells nothing that the list does not. */
export function isListedName(name: string): boolean {
  return name.length <= MAX_NAME && KINDS.has(normalizeName(name));
}

/** Whether a `code` of this thing, by its name or the word before, is an error's, a country's or the like. */
export function ownsCode(owner: string): boolean {
  const words = owner.slice(-MAX_NAME).match(/[A-Z]?[a-z]+|[A-Z]+/g);
  return CODE_OWNERS.has(words?.at(-1)?.toLowerCase() ?? '');
}

const OTP = /^(?:(?:[A-Z]-)?[0-9]{4,10}|[0-9]{3,4}[ -][0-9]{3,4})$/;
/** Of a YubiKey: an id and an encrypted counter in modhex. */
const MODHEX_OTP = /^[cbdefghijklnrtuv]{32,48}$/;
const SEED = /^(?:[A-Z2-7]{16,}=*|[0-9a-fA-F]{16,}|(?:[a-z]{3,8} ){11,23}[a-z]{3,8})$/;
const SCHEME = /^(?:basic|bearer|digest|dpop|negotiate|ntlm|token|apikey) {1,4}/i;
const PATH = /^(?:[/~]|[A-Za-z]:\\)/;
/** Bytes enough to be of use to somebody. */
const BLOB = /^[A-Za-z0-9+/_-]{16,}={0,2}$/;

/** The rule that a value breaks under a name of `kind`; `undefined` where it may stand there. */
export function ruleOfNamed(kind: NameKind, value: string | number): SecretRule | undefined {
  return typeof value === 'number' ? ruleOfNumber(kind, value) : ruleOfText(kind, value);
}

function ruleOfText(kind: NameKind, value: string): SecretRule | undefined {
  if (isHarmless(value)) return undefined;
  const text = value.trim();
  switch (kind) {
    case 'password':
      return PATH.test(text) ? undefined : 'field_name';
    case 'cookie':
      return 'field_name';
    case 'token': {
      // A kind of token, or how many there are, where a token would be.
      const token = text.replace(SCHEME, '');
      if (/^[0-9]{1,5}$/.test(token)) return undefined;
      return isHarmless(token) || kindOfName(token) === 'token' ? undefined : 'field_name';
    }
    case 'otp':
      return OTP.test(text) || MODHEX_OTP.test(text) ? 'one_time_code' : undefined;
    case 'code':
      return OTP.test(text) ? 'one_time_code' : undefined;
    case 'pin':
      return /^[0-9]{4,12}$/.test(text) ? 'field_name' : undefined;
    case 'card':
      return /^[0-9](?:[ ._/-]?[0-9]){11,18}$/.test(text) ? 'card_number' : undefined;
    case 'cvv':
      return /^[0-9]{3,4}$/.test(text) ? 'field_name' : undefined;
    case 'ssn':
      return /^[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}$/.test(text) ? 'field_name' : undefined;
    case 'seed':
      return SEED.test(text) ? 'field_name' : undefined;
    case 'webauthn':
      return BLOB.test(text) || /"type"\s*:\s*"webauthn\./.test(text) ? 'webauthn' : undefined;
    case 'jwk':
      return 'private_jwk';
  }
}

/** A number has lost its leading zeros, and where it may be a count or a status it is taken for one. */
function ruleOfNumber(kind: NameKind, value: number): SecretRule | undefined {
  if (!Number.isInteger(value) || value < 0) return undefined;
  const { length } = String(value);
  switch (kind) {
    case 'password':
    case 'pin':
      return length >= 4 ? 'field_name' : undefined;
    case 'otp':
      return length >= 4 && length <= 10 ? 'one_time_code' : undefined;
    case 'code':
      return length >= 6 && length <= 8 ? 'one_time_code' : undefined;
    case 'card':
      return length >= 12 && length <= 19 ? 'card_number' : undefined;
    case 'cvv':
      return length === 3 || length === 4 ? 'field_name' : undefined;
    case 'ssn':
      return length === 9 ? 'field_name' : undefined;
    case 'jwk':
      return 'private_jwk';
    case 'token':
    case 'cookie':
    case 'seed':
    case 'webauthn':
      return undefined;
  }
}
