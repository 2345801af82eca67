// Invented names, streets and visit reasons of the synthetic practice; towns and ZIP codes exist, the people do not.

type Texts = readonly [string, ...string[]];
type Town = readonly [city: string, state: string, zip: string];

export const givenNames: Texts = [
  "Ana",
  "Zoë",
  "José",
  "Łukasz",
  "Björn",
  "Siân",
  "Nguyễn",
  "Amélie",
  "Thabo",
  "Priya",
  "Olga",
  "Mateo",
  "Chiara",
  "Kwame",
  "Ingrid",
  "Tomás",
  "Leilani",
  "Dmitri",
  "Aoife",
  "Hana",
  "Ravi",
  "Søren",
  "Yara",
  "Malik",
  "Renée",
  "Ömer",
  "Nahima",
  "Wren",
  "Élodie",
  "Ngozi",
];

export const familyNames: Texts = [
  "Okafor",
  "Müller",
  "Nuñez",
  "O’Connor",
  "de la Cruz",
  "Nakamura",
  "Dvořák",
  "Van den Berg",
  "Abdi",
  "Petrović",
  "Haddad",
  "Kowalczyk",
  "Silva",
  "Fitzgerald",
  "Lindqvist",
  "Mbeki",
  "Iyer",
  "Castañeda",
  "Söderström",
  "Whitaker",
  "Tran",
  "Amaral",
  "Goldberg",
  "Yılmaz",
  "Quispe",
];

export const towns: readonly [Town, ...Town[]] = [
  ["Portland", "ME", "04101"],
  ["Providence", "RI", "02903"],
  ["Burlington", "VT", "05401"],
  ["Savannah", "GA", "31401"],
  ["Duluth", "MN", "55802"],
  ["Tacoma", "WA", "98402"],
  ["Galveston", "TX", "77550"],
  ["Cheyenne", "WY", "82001"],
];

export const streets: Texts = [
  "Beacon Row",
  "Lantern Street",
  "Quay Lane",
  "Ropewalk Avenue",
  "Halyard Court",
  "Tidewater Road",
];

/** 555-0100 to 555-0199 are kept for fiction in each of these. */
export const areaCodes: Texts = ["207", "401", "802", "912", "218", "253", "409", "307"];

export const languages: Texts = ["en-US", "es-MX", "pt-BR", "vi", "fr-CA"];

export const visitReasons: Texts = [
  "Video visit",
  "Follow-up",
  "Medication review",
  "New patient visit",
  "Annual wellness visit",
];

export const practitioners: Texts = ["Dr. Imani Adeyemi", "Dr. Caleb Strand", "Nurse Practitioner Lucía Romero"];
