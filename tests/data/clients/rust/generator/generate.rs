//! Writes the client that progenitor makes of an OpenAPI document: `generate DOCUMENT CLIENT`.

use std::{env, error::Error, fs};

use progenitor_impl::Generator;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = env::args().skip(1);
    let (document, client) = (paths.next().ok_or("no document")?, paths.next().ok_or("no client")?);
    let document = serde_json::from_str(&fs::read_to_string(document)?)?;
    fs::write(client, Generator::default().generate_tokens(&document)?.to_string())?;
    Ok(())
}
