/**
 * Credentials that are known by how they begin: each has a prefix that its issuer chose so that it can be found, and a length.
 * Ours too: `newel_` and 43 characters of base64url.
 */

/** Sources of regular expressions without flags. What stands before is no letter or digit, what follows no more of its alphabet. */
const VENDOR_TOKENS: Readonly<Record<string, string>> = {
  github: 'gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}',
  gitlab:
    'gl(?:pat|dt|ft|rt|soat|oas|ptt|imt|agent|ffct|cbt)-(?:[0-9a-z]{1,5}_)?[A-Za-z0-9_-]{20,300}(?:\\.[0-9a-z]{9})?',
  aws: '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|ABSK[A-Za-z0-9+/]{109,269}={0,2}',
  slack:
    'xox[abeoprs]-(?:[0-9]-)?[0-9A-Za-z-]{10,250}|xapp-[0-9]-[A-Z0-9]{6,20}-[0-9]{6,20}-[a-f0-9]{32,128}',
  stripe: '(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,247}|whsec_[A-Za-z0-9+/=]{24,64}',
  google: 'AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\\.[A-Za-z0-9_-]{20,1024}',
  sendgrid: 'SG\\.[A-Za-z0-9_-]{16,32}\\.[A-Za-z0-9_-]{32,64}',
  npm: 'npm_[A-Za-z0-9]{36}',
  pypi: 'pypi-AgE[A-Za-z0-9_-]{50,1000}',
  rubygems: 'rubygems_[a-f0-9]{48}',
  vault: 'hv[sbr]\\.[A-Za-z0-9_-]{24,300}',
  terraform: '[A-Za-z0-9]{14}\\.atlasv1\\.[A-Za-z0-9_-]{60,70}',
  openai: 'sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,200}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}',
  anthropic: 'sk-ant-[a-z0-9]{3,12}-[A-Za-z0-9_-]{80,120}',
  huggingface: 'hf_[A-Za-z]{34}',
  digitalocean: 'do[opr]_v1_[a-f0-9]{64}',
  databricks: 'dapi[a-f0-9]{32}',
  shopify: 'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}',
  square: 'sq0(?:atp|csp)-[A-Za-z0-9_-]{22,60}',
  mailgun: 'key-[0-9a-f]{32}',
  postman: 'PMAK-[a-f0-9]{24}-[a-f0-9]{34}',
  grafana: 'glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,400}={0,2}',
  doppler: 'dp\\.(?:pt|st|ct|sa|scim|audit)\\.(?:[a-z0-9_-]{2,35}\\.)?[A-Za-z0-9]{40,44}',
  linear: 'lin_api_[A-Za-z0-9]{40}',
  planetscale: 'pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.=-]{32,64}',
  pulumi: 'pul-[a-f0-9]{40}',
  onepassword: 'ops_eyJ[A-Za-z0-9+/_-]{200,1200}={0,2}',
  age: 'AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}',
  paseto: 'v[1-4]\\.(?:local|public)\\.[A-Za-z0-9_-]{32,4096}',
};

/** Whose tokens are known. */
export const VENDORS: readonly string[] = Object.keys(VENDOR_TOKENS);

export const VENDOR_TOKEN: RegExp = bounded(Object.values(VENDOR_TOKENS).join('|'));
export const NEWEL_TOKEN: RegExp = bounded('newel_[A-Za-z0-9_-]{43}');

function bounded(source: string): RegExp {
  return new RegExp(`(?<![A-Za-z0-9])(?:${source})(?![A-Za-z0-9])`, 'g');
}
