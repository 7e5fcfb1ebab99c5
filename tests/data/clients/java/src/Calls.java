import com.google.gson.Gson;
import gather.brain.ApiClient;
import gather.brain.ApiException;
import gather.brain.ContextApi;
import gather.brain.CoverageApi;
import gather.brain.NodesApi;
import gather.brain.ProjectsApi;
import gather.brain.SearchApi;
import gather.brain.model.BatchRequest;
import gather.brain.model.CoverageItem;
import gather.brain.model.CoverageRequest;
import gather.brain.model.DuplicatesBatchRequest;
import gather.brain.model.DuplicatesRequest;
import gather.brain.model.ErrorBody;
import gather.brain.model.NodeIn;
import gather.brain.model.NodeProperties;
import gather.brain.model.SimilarityPair;
import gather.brain.model.SimilarityRequest;
import java.util.List;

/** Calls every operation with the generated client, and says in a line each what was answered. */
public final class Calls {
  private static final String FIRST = "Full text content for embedding generation";
  private static final String SECOND = "Another gather item content";

  private static ApiClient client(String key) {
    ApiClient client = new ApiClient();
    client.setBasePath(System.getenv("BRAIN_URL"));
    client.setBearerToken(key);
    return client;
  }

  public static void main(String[] arguments) throws Exception {
    ApiClient client = client(System.getenv("BRAIN_KEY"));
    String project = System.getenv("BRAIN_PROJECT");
    NodesApi nodes = new NodesApi(client);
    SearchApi search = new SearchApi(client);
    ProjectsApi projects = new ProjectsApi(client);

    NodeProperties properties = new NodeProperties().department("story");
    properties.putAdditionalProperty("departmentName", "Story Department");
    properties.putAdditionalProperty("isAutomated", true);
    properties.putAdditionalProperty("iteration", 5);
    properties.putAdditionalProperty("qualityScore", 75.5);
    properties.putAdditionalProperty("model", "anthropic/claude-sonnet-4.5");
    properties.putAdditionalProperty("taskId", "celery-task-123");
    properties.putAdditionalProperty("summary", "Brief summary text");
    properties.putAdditionalProperty("context", "Why this matters");
    NodeProperties others = new NodeProperties().department("character");
    others.putAdditionalProperty("isAutomated", true);
    var created =
        nodes.createNodes(
            new BatchRequest()
                .addNodesItem(
                    new NodeIn().type("GatherItem").content(FIRST).projectId(project).properties(properties))
                .addNodesItem(
                    new NodeIn().type("GatherItem").content(SECOND).projectId(project).properties(others)));
    var stored = created.getNodes().get(0).getProperties();
    System.out.println("createNodes: " + created.getCreated() + " " + stored.get("qualityScore"));
    List<String> ids = created.getNodeIds();

    var page = nodes.listNodes(project, null, null, "content", null, null);
    System.out.println("listNodes: " + page.getNodes().size());
    System.out.println("getNode: " + nodes.getNode(ids.get(1), project).getContent());

    var least = search.findDuplicates(new DuplicatesRequest().projectId(project).content(FIRST));
    var full =
        search.findDuplicates(
            new DuplicatesRequest()
                .projectId(project)
                .content(FIRST)
                .threshold(0.90)
                .limit(10)
                .type("GatherItem")
                .department("story")
                .addExcludeNodeIdsItem(ids.get(0)));
    System.out.println(
        "findDuplicates: " + least.getDuplicates().size() + " " + full.getDuplicates().size());
    var results =
        search
            .findDuplicatesBatch(
                new DuplicatesBatchRequest().projectId(project).contents(List.of(FIRST, SECOND)))
            .getResults();
    System.out.println(
        "findDuplicatesBatch: "
            + results.get(0).getDuplicates().size()
            + " "
            + results.get(1).getDuplicates().size());
    var compared =
        search.compareTexts(
            new SimilarityRequest().projectId(project).addPairsItem(new SimilarityPair().a(FIRST).b(FIRST)));
    System.out.println("compareTexts: " + compared.getSimilarities().size());

    var context =
        new ContextApi(client)
            .getDepartmentContext(project, "character", List.of("story", "visual"), 20)
            .getContext();
    System.out.println(
        "getDepartmentContext: "
            + context.get("story").getNodeCount()
            + " "
            + context.get("visual").getNodeCount());

    var coverage =
        new CoverageApi(client)
            .analyzeCoverage(
                new CoverageRequest()
                    .projectId(project)
                    .department("story")
                    .addGatherItemsItem(
                        new CoverageItem()
                            .content("Plot overview: The story follows...")
                            .summary("Plot structure"))
                    .addGatherItemsItem(
                        new CoverageItem().content("Character relationships: The protagonist has...")));
    System.out.println("analyzeCoverage: " + coverage.getDepartment());
    System.out.println("readLimits: " + projects.readLimits(project).getProjectId());

    var gone = nodes.deleteNodes(project, List.of(ids.get(0), "unknown"));
    System.out.println("deleteNodes: " + gone.getDeleted() + " " + gone.getNotFound());
    System.out.println("eraseProject: " + projects.eraseProject(project, project).getDeleted());

    try {
      new ProjectsApi(client("unknown")).readLimits(project);
    } catch (ApiException refused) {
      ErrorBody body = new Gson().fromJson(refused.getResponseBody(), ErrorBody.class);
      System.out.println("refused: " + body.getError());
    }
  }
}
