import { MemoryReceiptStore } from '../../src/client/receipt-store-memory.ts';
import { testReceiptStore } from '../support/receipt-store-suite.ts';

// The one in IndexedDB is tested where there is such a thing: test/interop/chromium.test.ts.
testReceiptStore('receipts in memory', () => new MemoryReceiptStore());
