/** Whether a witness has the keys that it says, before it cosigns anything with them. */

import { NewelError } from '../errors.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import type { Verifier } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';

/** Text that is signed once, when a witness is opened, to see that its keys are right. It is shown to nobody. */
const PROBE = 'newel.invalid/self-check\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n';
const PROBE_TIME_S = 1;

/** Throws `log_refused` where there is no key, one of another name, or one that does not verify what it signs. */
export async function checkKeys(
  name: string,
  cosigners: readonly Cosigner[],
  verifiers: readonly Verifier[],
): Promise<void> {
  if (cosigners.length === 0) throw new NewelError('log_refused', 'a witness without a key cannot cosign');
  for (const [i, cosigner] of cosigners.entries()) {
    if (cosigner.vkey.name !== name)
      throw new NewelError('log_refused', 'a key of the witness has another name than the witness');
    const { signature } = await cosigner.cosign(PROBE, PROBE_TIME_S);
    if (!verifiers[i]!.verify(encodeUtf8(PROBE), signature))
      throw new NewelError('log_refused', 'a key of the witness does not verify what it signs');
  }
}
