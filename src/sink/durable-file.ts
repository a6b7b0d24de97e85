/**
 * Files that are there whole or not at all: written beside, synced, renamed, their folders synced.
 *
 * Any thread with an event loop; one writer a folder.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";

const TMP = "tmp";
const READ_BYTES = 1024 * 1024;

/** What a folder holds below one of its folders. */
export interface FoundFile {
  /** Relative to the folder, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly modifiedAt: number;
}

/** Makes the folder for what is being written, and clears what a crash left there. */
export async function clearTemporary(folder: string): Promise<void> {
  await rm(join(folder, TMP), { recursive: true, force: true });
  await mkdir(join(folder, TMP), { recursive: true, mode: 0o700 });
}

/** Where to write what shall become `path`. */
export function temporaryOf(folder: string, path: string): string {
  return join(folder, TMP, path.replaceAll("/", "_"));
}

/**
 * Makes the file at `temporary` durable as `folder/path`, replacing what is there. Throws what the
 * file system says.
 */
export async function publishFile(folder: string, temporary: string, path: string): Promise<void> {
  await syncPath(temporary);
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rename(temporary, target);
  for (let at = dirname(target); ; at = dirname(at)) {
    await syncPath(at);
    if (at === folder || at === dirname(at)) return;
  }
}

/** Writes `text` durably as `folder/path`. */
export async function publishText(folder: string, path: string, text: string): Promise<void> {
  const temporary = temporaryOf(folder, path);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await publishFile(folder, temporary, path);
}

/** Size and SHA-256 (hexadecimal) of a file. */
export async function digestFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  const file = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Every file below `folder/below`, in the order of their paths; none if it is not there. */
export async function listFiles(folder: string, below: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const walk = async (at: string): Promise<void> => {
    let entries;
    try {
      entries = await readdir(at, { withFileTypes: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) {
        const { size, mtimeMs } = await stat(path);
        const name = relative(folder, path).split(sep).join("/");
        found.push({ path: name, bytes: size, modifiedAt: mtimeMs });
      }
    }
  };
  await walk(join(folder, below));
  return found;
}

/** Makes what was renamed or removed in a folder, or written to a file, survive power loss. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** The JSON in a file. Throws if it is none. */
export async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, "utf8")) as unknown;
}
