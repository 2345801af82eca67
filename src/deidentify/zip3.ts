// Which three-digit ZIP prefixes may stay under Safe Harbor: only those whose area holds more than 20,000 people
// (45 CFR 164.514(b)(2)(i)(B)). A list of what may stay, so that a prefix nobody assigned cannot slip through.

// US Census 2020, ZCTA populations of the 50 States, DC and PR: 876 prefixes above 20,000.
const allowed = spread(
  "006-007 009-035 037-054 056-058 060-089 100-101 103-191 193-201 206-212 214-268 270-310 312-331 333-339 341-342 344 " +
    "346-347 349-352 354-368 370-374 376-398 400-418 420-427 430-458 460-508 510-516 520-528 530-532 534-535 537-551 " +
    "553-554 557-567 570-577 580-588 590-620 622-631 633-641 644-648 650-658 660-662 664-681 683-691 693 700-701 703-708 " +
    "710-714 716-731 734-741 743-752 754-770 773-816 820 822 824-838 840-841 843-847 850-853 855-857 859-860 863-865 " +
    "870-871 873-875 877 880-883 890-891 894-895 897-898 900 902-908 910-928 930-937 939-941 943-961 967-968 970-986 988-999",
);

function spread(ranges: string): ReadonlySet<string> {
  const prefixes = new Set<string>();
  for (const range of ranges.split(" ")) {
    const [first = "", last = first] = range.split("-");
    for (let n = Number(first); n <= Number(last); n++) prefixes.add(String(n).padStart(3, "0"));
  }
  return prefixes;
}

export const zip3Count = allowed.size;

/**
 * The prefix of a five-digit ZIP or a ZIP+4 (with or without the hyphen), or `000` when its area is too small, unknown or
 * the text is no ZIP.
 */
export function zip3(postalCode: string): string {
  const digits = /^\s*([0-9]{5})(?:[-\s]?[0-9]{4})?\s*$/.exec(postalCode)?.[1];
  const prefix = digits?.slice(0, 3);
  return prefix !== undefined && allowed.has(prefix) ? prefix : "000";
}
