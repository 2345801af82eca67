// The purposes of use and which of them covers which: v3-ActReason / PurposeOfUse, HL7 Terminology of 2026-08.

const tree: Readonly<Record<string, string>> = {
  TREAT: "CLINTRL COC ETREAT POPHLTH TREATDS",
  ETREAT: "BTG ERTREAT",
  HPAYMT: "CLMATTCH COVAUTH COVERAGE REMITADV PMTDS",
  COVERAGE: "ELIGDTRM ELIGVER ENROLLM MILDCRG",
  HOPERAT:
    "CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN MEMADMIN MILCDM " +
    "MLTRAINING PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV TRAIN",
  HSYSADMIN: "LABELING METAMGT",
  SYSDEV: "HTEST",
  HRESCH: "BIORCH CLINTRCH DSRCH POARCH TRANSRCH",
  CLINTRCH: "CLINTRCHNPC CLINTRCHPC PRECLINTRCH",
  PATRQT: "FAMRQT PWATRNY SUPNWK",
  PUBHLTH: "DISASTER THREAT",
  HMARKT: "",
};

const parents = new Map<string, string | undefined>(Object.keys(tree).map((code) => [code, undefined]));
for (const [parent, children] of Object.entries(tree)) {
  for (const child of children.split(" ")) if (child !== "") parents.set(child, parent);
}

export function isPurpose(code: string): boolean {
  return parents.has(code);
}

/**
 * True when a rule on `rule` speaks about a request for `requested`: the same code or a code below it. Break-glass (BTG)
 * is a descendant of TREAT but is never inherited, neither by a permit nor by a deny: it needs a rule of its own.
 * HMARKT has no ancestor, so nothing but itself reaches marketing (45 CFR 164.508(a)(3)).
 */
export function purposeCovers(rule: string, requested: string): boolean {
  if (rule === requested) return parents.has(rule);
  if (requested === "BTG") return false;
  for (let code = parents.get(requested); code !== undefined; code = parents.get(code)) if (code === rule) return true;
  return false;
}
