//! `language.detect`: which language a text is in, by its letters and how they follow each other.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;
use whatlang::{Detector, Lang};

use crate::inputs;
use crate::settings::{self, Texts};

/// More of a text than this tells nothing new, in characters.
const LOOKED_AT_MAX: usize = 20_000;
/// The code of ISO 639-3 of what could not be told.
const UNDETERMINED: &str = "und";

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The param with the text.
    #[serde(default = "text")]
    #[schemars(length(min = 1))]
    text: String,
    /// The languages that it may be, by their codes of ISO 639-3, as `deu`; any that is known
    /// unless said.
    among: Option<Texts>,
    /// The param that will hold the code. Beside it come params with `_confidence` and `_reliable`
    /// after this name.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
}

fn text() -> String {
    "text".to_owned()
}

fn output() -> String {
    "language".to_owned()
}

struct Detect {
    text: String,
    detector: Detector,
    output: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let Settings { text, among, output } = settings::read(params)?;
    let (mut languages, mut problems) = (Vec::new(), Vec::new());
    for code in among.iter().flat_map(|codes| &codes.0) {
        match Lang::from_code(code.as_str()) {
            Some(language) => languages.push(language),
            None => problems.push(unknown(code)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let detector =
        if among.is_some() { Detector::with_allowlist(languages) } else { Detector::new() };
    Ok(Executor::Worker(Arc::new(Detect { text, detector, output })))
}

fn unknown(code: &str) -> String {
    let known: Vec<&str> = Lang::all().iter().map(Lang::code).collect();
    format!("setting `among` has `{code}`, which is not known (known: {})", known.join(", "))
}

#[async_trait]
impl Handler for Detect {
    async fn run(&self, _context: Context, params: Params) -> Result<Completion, Failure> {
        let text = inputs::text(&params, &self.text)?;
        let end = text.char_indices().nth(LOOKED_AT_MAX).map_or(text.len(), |(at, _)| at);
        let found = self.detector.detect(&text[..end]);
        let code = found.as_ref().map_or(UNDETERMINED, |found| found.lang().code());
        let confidence = found.as_ref().map_or(0.0, whatlang::Info::confidence);
        let is_reliable = found.as_ref().is_some_and(whatlang::Info::is_reliable);
        let output = &self.output;
        Ok(Completion::ok(Params::from_iter([
            (output.clone(), json!(code)),
            (format!("{output}_confidence"), json!(confidence)),
            (format!("{output}_reliable"), json!(is_reliable)),
        ])))
    }
}
