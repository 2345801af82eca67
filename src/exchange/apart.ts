// A field on which a person has decided that both sides may differ: instead of one agreed value its base holds what each
// side had then, so that neither counts as news, and whoever changes it next moves it as ever.

const mark = "apart ";

/** What a link's base holds for such a field. Ids of systems and HMACs contain neither blanks nor equals signs. */
export function apart(sides: Readonly<Record<string, string>>): string {
  const parts = Object.entries(sides).map(([system, hash]) => `${system}=${hash}`);
  return `${mark}${parts.join(" ")}`;
}

/** The base as it stands for one side: the agreed value, or the one that this side had when they were let differ. */
export function baseAt(base: Readonly<Record<string, string>>, system: string): Readonly<Record<string, string>> {
  const own = Object.entries(base).map(([field, value]) => [field, valueAt(value, system)] as const);
  return Object.fromEntries(own.filter((one): one is readonly [string, string] => one[1] !== undefined));
}

function valueAt(value: string, system: string): string | undefined {
  if (!value.startsWith(mark)) return value;
  const part = value
    .slice(mark.length)
    .split(" ")
    .find((one) => one.startsWith(`${system}=`));
  return part?.slice(system.length + 1);
}
