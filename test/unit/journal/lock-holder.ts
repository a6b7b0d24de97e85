/** A process that takes the data directory it is given and says so, until it is killed. */
import { lockDataDir } from "../../../src/journal/data-dir-lock.ts";

await lockDataDir(process.argv[2] as string);
process.send?.("held");
setInterval(() => {}, 60_000);
