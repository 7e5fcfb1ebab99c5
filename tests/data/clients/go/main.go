// Calls every operation with the generated client, and says in a line each what was answered.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/gather-client/brain"
)

const (
	first  = "Full text content for embedding generation"
	second = "Another gather item content"
)

func client(key string) *brain.ClientWithResponses {
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+key)
		return nil
	}
	made, err := brain.NewClientWithResponses(os.Getenv("BRAIN_URL"), brain.WithRequestEditorFn(authorize))
	if err != nil {
		log.Fatal(err)
	}
	return made
}

// done returns the body of a 200, and ends the program if there is none.
func done[T any](body *T, status string, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	if body == nil {
		log.Fatal(status)
	}
	return *body
}

func value(set func(*brain.PropertyValue) error) brain.PropertyValue {
	var made brain.PropertyValue
	if err := set(&made); err != nil {
		log.Fatal(err)
	}
	return made
}

func text(of string) brain.PropertyValue {
	return value(func(v *brain.PropertyValue) error { return v.FromPropertyValue0(of) })
}

func truth(of bool) brain.PropertyValue {
	return value(func(v *brain.PropertyValue) error { return v.FromPropertyValue1(of) })
}

func pointer[T any](to T) *T { return &to }

func main() {
	ctx := context.Background()
	api := client(os.Getenv("BRAIN_KEY"))
	project := os.Getenv("BRAIN_PROJECT")
	nodes := []brain.NodeIn{
		{Type: "GatherItem", Content: first, ProjectId: project, Properties: &brain.NodeProperties{
			Department: pointer("story"),
			AdditionalProperties: map[string]brain.PropertyValue{
				"departmentName": text("Story Department"),
				"isAutomated":    truth(true),
				"iteration":      value(func(v *brain.PropertyValue) error { return v.FromPropertyValue2(5) }),
				"qualityScore":   value(func(v *brain.PropertyValue) error { return v.FromPropertyValue3(75.5) }),
				"model":          text("anthropic/claude-sonnet-4.5"),
				"taskId":         text("celery-task-123"),
				"summary":        text("Brief summary text"),
				"context":        text("Why this matters"),
			}}},
		{Type: "GatherItem", Content: second, ProjectId: project, Properties: &brain.NodeProperties{
			Department:           pointer("character"),
			AdditionalProperties: map[string]brain.PropertyValue{"isAutomated": truth(true)},
		}},
	}
	written, err := api.CreateNodesWithResponse(ctx, brain.BatchRequest{Nodes: nodes})
	created := done(written.JSON200, written.Status(), err)
	fmt.Println("createNodes:", created.Created, created.Nodes[0].Properties["qualityScore"])
	ids := created.NodeIds

	listed, err := api.ListNodesWithResponse(ctx, &brain.ListNodesParams{
		ProjectId: project, Include: pointer(brain.ListNodesParamsInclude("content")),
	})
	fmt.Println("listNodes:", len(done(listed.JSON200, listed.Status(), err).Nodes))
	read, err := api.GetNodeWithResponse(ctx, ids[1], &brain.GetNodeParams{ProjectId: project})
	fmt.Println("getNode:", *done(read.JSON200, read.Status(), err).Content)

	least, err := api.FindDuplicatesWithResponse(ctx, brain.DuplicatesRequest{ProjectId: project, Content: first})
	some := len(done(least.JSON200, least.Status(), err).Duplicates)
	full, err := api.FindDuplicatesWithResponse(ctx, brain.DuplicatesRequest{
		ProjectId: project, Content: first, Threshold: pointer(0.9), Limit: pointer(10),
		Type: pointer("GatherItem"), Department: pointer("story"), ExcludeNodeIds: &[]string{ids[0]},
	})
	fmt.Println("findDuplicates:", some, len(done(full.JSON200, full.Status(), err).Duplicates))
	batch, err := api.FindDuplicatesBatchWithResponse(ctx, brain.DuplicatesBatchRequest{
		ProjectId: project, Contents: []string{first, second},
	})
	results := done(batch.JSON200, batch.Status(), err).Results
	fmt.Println("findDuplicatesBatch:", len(results[0].Duplicates), len(results[1].Duplicates))
	compared, err := api.CompareTextsWithResponse(ctx, brain.SimilarityRequest{
		ProjectId: project, Pairs: []brain.SimilarityPair{{A: first, B: first}},
	})
	fmt.Println("compareTexts:", len(done(compared.JSON200, compared.Status(), err).Similarities))

	aggregated, err := api.GetDepartmentContextWithResponse(ctx, &brain.GetDepartmentContextParams{
		ProjectId: project, Department: "character",
		PreviousDepartments: &[]string{"story", "visual"}, Limit: pointer(20),
	})
	found := done(aggregated.JSON200, aggregated.Status(), err).Context
	fmt.Println("getDepartmentContext:", found["story"].NodeCount, found["visual"].NodeCount)

	coverage, err := api.AnalyzeCoverageWithResponse(ctx, brain.CoverageRequest{
		ProjectId: project, Department: "story", GatherItems: []brain.CoverageItem{
			{Content: "Plot overview: The story follows...", Summary: pointer("Plot structure")},
			{Content: "Character relationships: The protagonist has..."},
		},
	})
	fmt.Println("analyzeCoverage:", done(coverage.JSON200, coverage.Status(), err).Department)
	limits, err := api.ReadLimitsWithResponse(ctx, &brain.ReadLimitsParams{ProjectId: project})
	fmt.Println("readLimits:", done(limits.JSON200, limits.Status(), err).ProjectId)

	deleted, err := api.DeleteNodesWithResponse(ctx, &brain.DeleteNodesParams{
		ProjectId: project, Ids: []string{ids[0], "unknown"},
	})
	gone := done(deleted.JSON200, deleted.Status(), err)
	fmt.Println("deleteNodes:", gone.Deleted, gone.NotFound)
	erased, err := api.EraseProjectWithResponse(ctx, project, &brain.EraseProjectParams{Confirm: project})
	fmt.Println("eraseProject:", done(erased.JSON200, erased.Status(), err).Deleted)

	refused, err := client("unknown").ReadLimitsWithResponse(ctx, &brain.ReadLimitsParams{ProjectId: project})
	fmt.Println("refused:", done(refused.JSON401, refused.Status(), err).Error)
}
