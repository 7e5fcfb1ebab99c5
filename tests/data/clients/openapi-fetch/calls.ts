// Calls every operation with the generated types, and says in a line each what was answered.
import createClient from "openapi-fetch";
import type { components, paths } from "./brain.d.ts";

type Node = components["schemas"]["NodeIn"];

declare const process: { env: Record<string, string | undefined> };
const baseUrl = process.env["BRAIN_URL"] ?? "";
const projectId = process.env["BRAIN_PROJECT"] ?? "";
const first = "Full text content for embedding generation";
const second = "Another gather item content";
const client = (key: string) => createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const brain = client(process.env["BRAIN_KEY"] ?? "");

function done<T>(answer: { data?: T; error?: components["schemas"]["ErrorBody"] }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.error}: ${answer.error?.message}`);
  return answer.data;
}

const nodes: Node[] = [
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
const created = done(await brain.POST("/api/v1/nodes/batch", { body: { nodes } }));
console.log("createNodes:", created.created, created.nodes[0]?.properties["qualityScore"]);
const [one = "", two = ""] = created.nodeIds;

const page = done(await brain.GET("/api/v1/nodes", { params: { query: { projectId, include: "content" } } }));
console.log("listNodes:", page.nodes.length);
const node = done(await brain.GET("/api/v1/nodes/{id}", { params: { path: { id: two }, query: { projectId } } }));
console.log("getNode:", node.content);

const least = done(await brain.POST("/api/v1/search/duplicates", { body: { projectId, content: first } }));
const filter = { threshold: 0.9, limit: 10, type: "GatherItem", department: "story", excludeNodeIds: [one] };
const full = done(await brain.POST("/api/v1/search/duplicates", { body: { projectId, content: first, ...filter } }));
console.log("findDuplicates:", least.duplicates.length, full.duplicates.length);
const batch = done(
  await brain.POST("/api/v1/search/duplicates/batch", { body: { projectId, contents: [first, second] } }),
);
console.log("findDuplicatesBatch:", ...batch.results.map((each) => each.duplicates.length));
const pairs = [{ a: first, b: first }];
const compared = done(await brain.POST("/api/v1/search/similarity", { body: { projectId, pairs } }));
console.log("compareTexts:", compared.similarities.length);

const query = { projectId, department: "character", "previousDepartments[]": ["story", "visual"], limit: 20 };
const { context } = done(await brain.GET("/api/v1/context/department", { params: { query } }));
console.log("getDepartmentContext:", context["story"]?.nodeCount, context["visual"]?.nodeCount);

const gatherItems = [
  { content: "Plot overview: The story follows...", summary: "Plot structure" },
  { content: "Character relationships: The protagonist has..." },
];
const coverage = done(
  await brain.POST("/api/v1/analyze/coverage", { body: { projectId, department: "story", gatherItems } }),
);
console.log("analyzeCoverage:", coverage.department);
const limits = done(await brain.GET("/api/v1/limits", { params: { query: { projectId } } }));
console.log("readLimits:", limits.projectId);

const gone = done(
  await brain.DELETE("/api/v1/nodes", { params: { query: { projectId, ids: [one, "unknown"] } } }),
);
console.log("deleteNodes:", gone.deleted, gone.notFound);
const erased = done(
  await brain.DELETE("/api/v1/projects/{projectId}", {
    params: { path: { projectId }, query: { confirm: projectId } },
  }),
);
console.log("eraseProject:", erased.deleted);

const refused = await client("unknown").GET("/api/v1/limits", { params: { query: { projectId } } });
console.log("refused:", refused.error?.error);
