// Run by the MongoDB image when the database is new (docker-compose.yml): makes the user with which Sluice signs in. It
// may read and write Sluice's database, and nothing else.
const password = process.env.MONGODB_PASSWORD;
if (!password) throw new Error("MONGODB_PASSWORD is missing");
db.getSiblingDB("sluice").createUser({
  user: "sluice",
  pwd: password,
  roles: [{ role: "readWrite", db: "sluice" }],
});
