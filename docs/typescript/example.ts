// What an application writes: `npm install openapi-fetch`, and brain.d.ts from this folder.
import createClient from "openapi-fetch";
import type { components, paths } from "./brain.d.ts";

type Node = components["schemas"]["NodeIn"];

export async function write(baseUrl: string, key: string, nodes: Node[]): Promise<string[]> {
  const brain = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const { data, error, response } = await brain.POST("/api/v1/nodes/batch", { body: { nodes } });
  if (error) {
    const after = response.headers.get("Retry-After");
    throw new Error(`${error.error}: ${error.message}${after ? `; again after ${after} s` : ""}`);
  }
  return data.nodeIds;
}

export async function themes(baseUrl: string, key: string, projectId: string): Promise<string[]> {
  const brain = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const { data } = await brain.GET("/api/v1/context/department", {
    params: { query: { projectId, department: "sound", "previousDepartments[]": ["story"] } },
  });
  return data?.context["story"]?.keyThemes ?? [];
}
