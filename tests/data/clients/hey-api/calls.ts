// Calls every operation with the generated client, and says in a line each what was answered.
import * as brain from "./brain/index.js";
import { client } from "./brain/client.gen.js";
import type { ErrorBody, NodeIn } from "./brain/index.js";

declare const process: { env: Record<string, string | undefined> };
const projectId = process.env["BRAIN_PROJECT"] ?? "";
const first = "Full text content for embedding generation";
const second = "Another gather item content";
client.setConfig({ baseUrl: process.env["BRAIN_URL"] ?? "", auth: process.env["BRAIN_KEY"] ?? "" });

function done<T>(answer: { data?: T; error?: ErrorBody }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.error}: ${answer.error?.message}`);
  return answer.data;
}

const nodes: NodeIn[] = [
  {
    type: "GatherItem",
    content: first,
    projectId,
    properties: {
      department: "story",
      departmentName: "Story Department",
      isAutomated: true,
      iteration: 5,
      qualityScore: 75.5,
      model: "anthropic/claude-sonnet-4.5",
      taskId: "celery-task-123",
      summary: "Brief summary text",
      context: "Why this matters",
    },
  },
  { type: "GatherItem", content: second, projectId, properties: { department: "character", isAutomated: true } },
];
const created = done(await brain.createNodes({ body: { nodes } }));
console.log("createNodes:", created.created, created.nodes[0]?.properties["qualityScore"]);
const [one = "", two = ""] = created.nodeIds;

const page = done(await brain.listNodes({ query: { projectId, include: "content" } }));
console.log("listNodes:", page.nodes.length);
console.log("getNode:", done(await brain.getNode({ path: { id: two }, query: { projectId } })).content);

const least = done(await brain.findDuplicates({ body: { projectId, content: first } }));
const filter = { threshold: 0.9, limit: 10, type: "GatherItem", department: "story", excludeNodeIds: [one] };
const full = done(await brain.findDuplicates({ body: { projectId, content: first, ...filter } }));
console.log("findDuplicates:", least.duplicates.length, full.duplicates.length);
const batch = done(await brain.findDuplicatesBatch({ body: { projectId, contents: [first, second] } }));
console.log("findDuplicatesBatch:", ...batch.results.map((each) => each.duplicates.length));
const compared = done(await brain.compareTexts({ body: { projectId, pairs: [{ a: first, b: first }] } }));
console.log("compareTexts:", compared.similarities.length);

const query = { projectId, department: "character", "previousDepartments[]": ["story", "visual"], limit: 20 };
const { context } = done(await brain.getDepartmentContext({ query }));
console.log("getDepartmentContext:", context["story"]?.nodeCount, context["visual"]?.nodeCount);

const gatherItems = [
  { content: "Plot overview: The story follows...", summary: "Plot structure" },
  { content: "Character relationships: The protagonist has..." },
];
const coverage = done(await brain.analyzeCoverage({ body: { projectId, department: "story", gatherItems } }));
console.log("analyzeCoverage:", coverage.department);
console.log("readLimits:", done(await brain.readLimits({ query: { projectId } })).projectId);

const gone = done(await brain.deleteNodes({ query: { projectId, ids: [one, "unknown"] } }));
console.log("deleteNodes:", gone.deleted, gone.notFound);
console.log("eraseProject:", done(await brain.eraseProject({ path: { projectId }, query: { confirm: projectId } })).deleted);

client.setConfig({ auth: "unknown" });
console.log("refused:", (await brain.readLimits({ query: { projectId } })).error?.error);
