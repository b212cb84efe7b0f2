/** A page fault that is recorded in the event log: what it copied, what became of it, and how long it waited. */
import { NO_FRAME, type Vpn } from '../frame/index.js';
import { type Access, COPIED, type FaultOutcome, pteFrame } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';
import type { EventLog } from './event-log.js';
import { faultName } from './fault.js';
import { resolveFault } from './resolve.js';

/** As `resolveFault`. */
export const recordFault = (space: AddressSpace, log: EventLog, page: Vpn, access: Access): FaultOutcome => {
  const before = pteFrame(space.table.entry(page));
  const outcome = resolveFault(space, page, access);
  if (outcome.kind === 'waiting') {
    const wait = log.waitBegan(space.id, page, access);
    const end = (result: 'committed' | 'failed') => () => log.waitEnded(space.id, page, wait, result);
    outcome.until.then(end('committed'), end('failed'));
    return outcome;
  }
  if (outcome === COPIED) {
    const from = before === NO_FRAME ? objectFrame(space, page) : before;
    log.copied(space.id, page, from, pteFrame(space.table.entry(page)));
  }
  log.faulted(space.id, page, access, faultName(outcome));
  return outcome;
};

/** What the object has for a page that was copied from it without being mapped first. */
const objectFrame = (space: AddressSpace, page: Vpn): ReturnType<typeof pteFrame> => {
  const backing = space.list.find(page)?.backing;
  return backing === undefined ? NO_FRAME : backing.object.presentFrame(backing.objectPage(page));
};
