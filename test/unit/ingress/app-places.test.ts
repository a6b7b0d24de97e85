import assert from "node:assert/strict";
import { test } from "node:test";
import { AppPlaces, NO_APP } from "../../../src/ingress/admission/app-places.ts";

function takeAll(places: AppPlaces, app: number): number {
  let taken = 0;
  while (places.take(app)) taken++;
  return taken;
}

test("an app alone gets half, and there is always room for another", () => {
  const places = new AppPlaces(1024);
  assert.deepEqual(
    [0, 1, 2, 3].map((app) => takeAll(places, app)),
    [512, 256, 128, 64],
  );
});

test("a place given back can be taken by either", () => {
  const places = new AppPlaces(4);
  assert.equal(takeAll(places, 7), 2);
  assert.equal(takeAll(places, 8), 1);
  places.giveBack(7);
  assert.equal(takeAll(places, 8), 1);
  places.giveBack(8);
  places.giveBack(8);
  places.giveBack(7);
  assert.equal(takeAll(places, 9), 2, "nothing is left of the others");
});

test("a place moves to an app that has a share left, or stays where it was", () => {
  const places = new AppPlaces(4);
  assert.equal(takeAll(places, 1), 2);
  assert.ok(places.take(NO_APP));
  assert.equal(places.move(NO_APP, 1), false);
  assert.equal(places.move(NO_APP, 2), true);
  places.giveBack(2);
  assert.equal(takeAll(places, 2), 1);
});
