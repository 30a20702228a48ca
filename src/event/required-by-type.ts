/** Checks an event against the rules by type (rules.ts). */

import type { Fault } from '../errors.ts';
import { ONE_OF_BY_TYPE, ONLY_FOR_TYPE, REASON_WITH_DETAIL, REQUIRED_BY_TYPE } from './rules.ts';

/** What a type asks for, its paths split. */
interface Demands {
  readonly required: readonly (readonly string[])[];
  readonly oneOf: readonly (readonly (readonly string[])[])[];
}

const NONE: Demands = { required: [], oneOf: [] };

const DEMANDS: ReadonlyMap<unknown, Demands> = new Map(
  Object.entries(REQUIRED_BY_TYPE).map(([type, paths]) => [
    type,
    { required: paths.map(split), oneOf: (ONE_OF_BY_TYPE[type] ?? []).map((paths) => paths.map(split)) },
  ]),
);

const EXCLUSIVE: readonly (readonly [name: string, type: string])[] = Object.entries(ONLY_FOR_TYPE);

/** The faults of an event that may have others as well: members are asked for whether they are there, not what they hold. */
export function faultsByType(event: Readonly<Record<string, unknown>>): Fault[] {
  const { type } = event;
  const { required, oneOf } = DEMANDS.get(type) ?? NONE;
  const faults: Fault[] = [];
  for (const path of required) {
    if (!has(event, path)) faults.push(fault(path, `is required in an event of type ${String(type)}`));
  }
  const [first, ...others] = oneOf;
  if (first !== undefined && !oneOf.some((paths) => paths.every((path) => has(event, path)))) {
    const instead = others.map((paths) => paths.map((path) => path.join('.')).join(' and ')).join(', or ');
    faults.push(
      fault(first[0]!, `is required in an event of type ${String(type)}, or ${instead} in its place`),
    );
  }
  for (const [name, only] of EXCLUSIVE) {
    if (type !== only && Object.hasOwn(event, name)) {
      faults.push(fault([name], `belongs to an event of type ${only} only`));
    }
  }
  const { trigger } = event;
  if (isObject(trigger) && trigger['reason'] === REASON_WITH_DETAIL && !Object.hasOwn(trigger, 'detail')) {
    faults.push(fault(['trigger', 'detail'], `is required where trigger.reason is ${REASON_WITH_DETAIL}`));
  }
  return faults;
}

function has(event: Readonly<Record<string, unknown>>, path: readonly string[]): boolean {
  let value: unknown = event;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return false;
    value = value[name];
  }
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function split(path: string): readonly string[] {
  return path.split('.');
}

function fault(path: readonly string[], detail: string): Fault {
  return { pointer: `/${path.join('/')}`, detail };
}
