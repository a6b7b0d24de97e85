import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkStore, NONE_WAITING, WaitingLane } from "../../../src/dispatch/waiting-queue.ts";

const APPS = 5;
/** Several chunks each. */
const MESSAGES = 3000;
/** More than any app sends while it is fresh. */
const TAKEN = 9 * APPS;
const SINGLE_APP = APPS;
const EXPIRES_AT_MS = 1000;
const NEVER_MS = 1e15;

class CountingStore extends ChunkStore {
  held = 0;

  override take(small: boolean): ReturnType<ChunkStore["take"]> {
    this.held++;
    return super.take(small);
  }

  override give(chunk: ReturnType<ChunkStore["take"]>): void {
    this.held--;
    super.give(chunk);
  }
}

/** A lane with backlogs of some apps, all in its round, and an app that sends single messages. */
class Scene {
  readonly store = new CountingStore();
  readonly lane = new WaitingLane(APPS + 1, this.store);
  /** What waits, by app. */
  readonly waiting = new Map<number, Set<number>>();
  #logOffset = 0;

  /** Log offset of the last one appended. */
  get last(): number {
    return this.#logOffset;
  }

  fill(): void {
    for (let i = 0; i < MESSAGES; i++) for (let app = 0; app < APPS; app++) this.append(app);
    for (let i = 0; i < TAKEN; i++) this.take();
  }

  append(app: number, expiresAtMs = EXPIRES_AT_MS): void {
    this.#logOffset += 8;
    this.lane.append(app, this.#logOffset, expiresAtMs);
    const ofApp = this.waiting.get(app) ?? new Set();
    this.waiting.set(app, ofApp.add(this.#logOffset));
  }

  take(): number {
    const logOffset = this.lane.take();
    assert.equal(this.waiting.get(this.lane.takenApp)?.delete(logOffset), true);
    return this.lane.takenApp;
  }

  /** Ends what waits of those below `apps`, in steps. */
  expire(apps: number): void {
    const ended = new Set<number>();
    for (let app = 0; app < apps; app++) {
      for (const logOffset of this.waiting.get(app) ?? []) ended.add(logOffset);
      this.waiting.delete(app);
    }
    const expire = (logOffset: number): number => (ended.delete(logOffset) ? 0 : NEVER_MS);
    while (this.lane.sweep({ expire }, EXPIRES_AT_MS, 500) === 0);
    assert.equal(ended.size, 0);
  }

  /** Ends what waits but for these. */
  expireAllBut(staying: ReadonlySet<number>): void {
    const expire = (logOffset: number): number => (staying.has(logOffset) ? NEVER_MS : 0);
    while (this.lane.sweep({ expire }, EXPIRES_AT_MS, 500) === 0);
  }

  cancel(): void {
    for (const [app, ofApp] of this.waiting) {
      for (const logOffset of ofApp) assert.ok(this.lane.remove(app, logOffset));
    }
    this.waiting.clear();
  }

  /** Single messages of one app. */
  sendSingles(): void {
    for (let i = 0; i < 100; i++) {
      this.append(SINGLE_APP, NEVER_MS);
      assert.equal(this.take(), SINGLE_APP);
    }
  }
}

for (const [what, end] of [
  ["expired", (scene: Scene) => scene.expire(APPS)],
  ["was canceled", (scene: Scene) => scene.cancel()],
] as const) {
  test(`a backlog that ${what} holds no chunk, and its apps are served again`, () => {
    const scene = new Scene();
    for (let round = 0; round < 3; round++) {
      scene.fill();
      end(scene);
      assert.equal(scene.lane.count, 0);
      assert.equal(scene.store.held, 0);
      if (round === 1) assert.equal(scene.lane.take(), NONE_WAITING);
      if (round === 2) scene.sendSingles();
      assert.equal(scene.store.held, 0);
    }
  });
}

test("what expired of an app of which something always waits holds no chunk for long", () => {
  const scene = new Scene();
  const order: number[] = [];
  // Ten times as many as may be left at the end, and one of a hundred stays.
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < MESSAGES; i++) {
      const stays = i % 100 === 0;
      scene.append(SINGLE_APP, stays ? NEVER_MS : EXPIRES_AT_MS);
      if (stays) order.push(scene.last);
    }
    scene.expireAllBut(new Set(order));
    assert.equal(scene.lane.count, order.length);
  }
  const entries = order.length;
  assert.ok(scene.store.held <= 2 + Math.ceil((2 * entries) / 1024), `${scene.store.held} chunks`);
  for (const logOffset of order) assert.equal(scene.lane.take(), logOffset);
  assert.equal(scene.lane.take(), NONE_WAITING);
  assert.equal(scene.store.held, 0);
});

test("an app whose messages were all removed or expired holds no chunk", () => {
  const scene = new Scene();
  for (let i = 0; i < MESSAGES; i++) scene.append(SINGLE_APP, EXPIRES_AT_MS);
  const lasting = Array.from({ length: MESSAGES }, () => {
    scene.append(SINGLE_APP, NEVER_MS);
    return scene.last;
  });
  for (const logOffset of lasting) assert.ok(scene.lane.remove(SINGLE_APP, logOffset));
  scene.expireAllBut(new Set());
  assert.equal(scene.lane.count, 0);
  assert.equal(scene.lane.lowestExpiresAtMs, Number.POSITIVE_INFINITY);
  assert.equal(scene.store.held, 0);
});

test("backlogs that expired beside one that did not hold no chunk", () => {
  const scene = new Scene();
  scene.fill();
  scene.expire(APPS - 1);
  assert.equal(scene.lane.count, scene.waiting.get(APPS - 1)?.size);
  assert.equal(scene.store.held, Math.ceil(MESSAGES / 1024) + 1);
  while (scene.lane.count > 0) assert.equal(scene.take(), APPS - 1);
  assert.equal(scene.lane.take(), NONE_WAITING);
  assert.equal(scene.store.held, 0);
});
