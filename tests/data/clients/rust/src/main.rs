//! Calls every operation with the generated client, and says in a line each what was answered.

use std::{env, error::Error, num::NonZeroU64};

use brain::{Client, types};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{from_value, json};

const FIRST: &str = "Full text content for embedding generation";
const SECOND: &str = "Another gather item content";

fn client(key: &str) -> Result<Client, Box<dyn Error>> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {key}").parse()?);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(&env::var("BRAIN_URL")?, http))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let brain = client(&env::var("BRAIN_KEY")?)?;
    let project = env::var("BRAIN_PROJECT")?;

    let nodes: types::BatchRequest = from_value(json!({"nodes": [
        {
            "type": "GatherItem",
            "content": FIRST,
            "projectId": project,
            "properties": {
                "department": "story",
                "departmentName": "Story Department",
                "isAutomated": true,
                "iteration": 5,
                "qualityScore": 75.5,
                "model": "anthropic/claude-sonnet-4.5",
                "taskId": "celery-task-123",
                "summary": "Brief summary text",
                "context": "Why this matters",
            },
        },
        {
            "type": "GatherItem",
            "content": SECOND,
            "projectId": project,
            "properties": {"department": "character", "isAutomated": true},
        },
    ]}))?;
    let created = brain.create_nodes(&nodes).await?;
    println!("createNodes: {} {}", created.created, created.nodes[0].properties["qualityScore"]);
    let ids = &created.node_ids;

    let include = Some(types::ListNodesInclude::Content);
    let page = brain.list_nodes(None, None, include, None, &project.parse()?, None).await?;
    println!("listNodes: {}", page.nodes.len());
    let node = brain.get_node(&ids[1].parse()?, &project.parse()?).await?;
    println!("getNode: {}", node.content.as_deref().unwrap_or_default());

    let least: types::DuplicatesRequest = from_value(json!({"projectId": project, "content": FIRST}))?;
    let full: types::DuplicatesRequest = from_value(json!({
        "projectId": project,
        "content": FIRST,
        "threshold": 0.90,
        "limit": 10,
        "type": "GatherItem",
        "department": "story",
        "excludeNodeIds": [ids[0]],
    }))?;
    let some = brain.find_duplicates(&least).await?.duplicates.len();
    println!("findDuplicates: {some} {}", brain.find_duplicates(&full).await?.duplicates.len());
    let batch: types::DuplicatesBatchRequest =
        from_value(json!({"projectId": project, "contents": [FIRST, SECOND]}))?;
    let results = &brain.find_duplicates_batch(&batch).await?.into_inner().results;
    println!("findDuplicatesBatch: {} {}", results[0].duplicates.len(), results[1].duplicates.len());
    let pairs: types::SimilarityRequest =
        from_value(json!({"projectId": project, "pairs": [{"a": FIRST, "b": FIRST}]}))?;
    println!("compareTexts: {}", brain.compare_texts(&pairs).await?.similarities.len());

    let previous = vec!["story".parse()?, "visual".parse()?];
    let context = brain
        .get_department_context(
            &"character".parse()?,
            NonZeroU64::new(20),
            Some(&previous),
            &project.parse()?,
        )
        .await?
        .into_inner()
        .context;
    println!(
        "getDepartmentContext: {} {}",
        context["story"].node_count, context["visual"].node_count
    );

    let coverage: types::CoverageRequest = from_value(json!({
        "projectId": project,
        "department": "story",
        "gatherItems": [
            {"content": "Plot overview: The story follows...", "summary": "Plot structure"},
            {"content": "Character relationships: The protagonist has..."},
        ],
    }))?;
    println!("analyzeCoverage: {}", brain.analyze_coverage(&coverage).await?.department);
    println!("readLimits: {}", brain.read_limits(&project.parse()?).await?.project_id);

    let unwanted = vec![ids[0].parse()?, "unknown".parse()?];
    let gone = brain.delete_nodes(&unwanted, &project.parse()?).await?;
    println!("deleteNodes: {} {}", gone.deleted, gone.not_found);
    let erased = brain.erase_project(&project.parse()?, &project.parse()?).await?;
    println!("eraseProject: {}", erased.deleted);

    match client("unknown")?.read_limits(&project.parse()?).await {
        Err(brain::Error::ErrorResponse(refused)) => println!("refused: {}", refused.error),
        other => println!("refused: {other:?}"),
    }
    Ok(())
}
