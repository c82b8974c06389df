// What a user of jsforce does in a day, against the sandbox at argv[2] with the session argv[3]; prints what came back.
"use strict";

const jsforce = require("jsforce");

async function refused(work) {
  try {
    await work();
    return null;
  } catch (error) {
    return { name: error.name, code: error.errorCode, message: String(error.message) };
  }
}

async function main(url, token) {
  const conn = new jsforce.Connection({ instanceUrl: url, accessToken: token, version: "67.0" });
  const told = {};

  const seen = [];
  const paged = conn.query("SELECT Id, Subject, Owner.Name FROM Task").on("record", (row) => seen.push(row.Id));
  await paged.run({ autoFetch: true, maxFetch: 100000 });
  told.paged = { seen: seen.length, different: new Set(seen).size, total: paged.totalSize };
  told.found = await conn.sobject("Opportunity").find({ Name: "nobody's" }).execute();
  told.count = await conn.sobject("Opportunity").count({ Amount: { $gte: 0 } });

  const fields = { Name: "Bolts", StageName: "Prospecting", CloseDate: "2026-07-01" };
  const deals = conn.sobject("Opportunity");
  const made = await deals.create(fields);
  told.made = made.success;
  told.updated = (await deals.update({ Id: made.id, Amount: 12.5 })).success;
  told.row = (({ Name, Amount }) => ({ Name, Amount }))(await deals.retrieve(made.id));
  const upserts = [1, 2].map(() => ({ ...fields, CrmBridge_Key__c: "js-1" }));
  told.upserted = [];
  for (const one of upserts) told.upserted.push((await deals.upsert(one, "CrmBridge_Key__c")).created);
  const several = await deals.create([fields, { Name: "no stage" }], { allOrNone: false });
  told.several = several.map((one) => (one.success ? "ok" : one.errors[0].statusCode || one.errors[0].errorCode));
  told.destroyed = (await deals.destroy([made.id, several[0].id])).map((one) => one.success);
  const again = await deals.destroy([made.id, made.id.slice(0, -5) + "zzAAA"], { allOrNone: false });
  told.gone = again.map((one) => one.errors[0].statusCode || one.errors[0].errorCode);
  const node = (name, table, body) => ({
    method: "POST",
    url: `/services/data/v67.0/sobjects/${table}/`,
    referenceId: name,
    body,
  });
  const deal = node("deal", "Opportunity", fields);
  const who = { OpportunityId: "@{deal.id}", ContactId: (await conn.sobject("Contact").findOne({}, "Id")).Id };
  const role = node("role", "OpportunityContactRole", who);
  const spoilt = node("spoilt", "OpportunityContactRole", { ...who, ContactId: "003Sb00000zzzzzAAA" });
  const composite = await conn.requestPost("/composite", { allOrNone: true, compositeRequest: [deal, role, spoilt] });
  told.composite = composite.compositeResponse.map((one) => one.body[0].errorCode);
  const graphs = [[deal, role], [deal, spoilt]].map((compositeRequest, n) => ({ graphId: String(n), compositeRequest }));
  told.graphs = (await conn.requestPost("/composite/graph", { graphs })).graphs.map((one) => one.isSuccessful);
  told.described = (await deals.describe()).fields.some((field) => field.name === "CrmBridge_Key__c");
  told.limits = (await conn.limits()).DailyApiRequests.Max;
  told.usage = conn.limitInfo.apiUsage.limit;

  conn.bulk2.pollInterval = 20;
  conn.bulk2.pollTimeout = 20000;
  const stream = await conn.bulk2.query("SELECT Id, Name FROM Opportunity");
  told.bulk = (await stream.toArray()).length;
  const loaded = await conn.bulk2.loadAndWaitForResults({
    object: "Opportunity",
    operation: "insert",
    input: [fields, { ...fields, Name: "" }],
  });
  told.loaded = { good: loaded.successfulResults.length, bad: loaded.failedResults.map((one) => one.sf__Error) };

  told.refused = [
    await refused(() => conn.query("SELECT Nope FROM Task")),
    await refused(() => deals.create({ Name: "no stage" })),
    await refused(() => deals.retrieve("006Sb0000099999")),
    await refused(() => new jsforce.Connection({ instanceUrl: url, accessToken: "gone", version: "67.0" }).limits()),
  ];
  return told;
}

main(process.argv[2], process.argv[3]).then(
  (told) => console.log(JSON.stringify(told)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
