/** Whether tests may take long: SLOW is set, and neither empty nor 0. */

export const SLOW: boolean = !['', '0'].includes(process.env['SLOW'] ?? '');
