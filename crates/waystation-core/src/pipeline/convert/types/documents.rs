//! Reading documents, and what is done with their text.

use serde_json::json;

use crate::pipeline::convert::executor::Executor;
use crate::pipeline::load::node::{Node, Value};

/// Where theirs lies while it is worked at.
const TEMPORARY: &str = "temp_file_path";
/// What ours are told.
const KNOWN: [&str; 4] = ["from", "output", "separator", "header"];

fn extractor(executor: &mut Executor<'_>, stage_type: &str, output: &str) {
    executor.becomes(stage_type);
    executor.expect("content_field", &[json!("content")]);
    match executor.take("temp_file_path_field") {
        Some(field) if field.as_text() != Some(TEMPORARY) => executor.set("from", field),
        _ => {}
    }
    match executor.take("output_field") {
        Some(field) => executor.set("output", field),
        None => executor.set_text("output", output),
    }
    executor.expect("extract_images", &[json!(false)]);
    executor.ignore(&["image_format", "image_output_mode", "min_image_size"]);
    executor.expect("extract_properties", &[json!(false)]);
    executor.keep(&KNOWN);
}

/// `pdf_extractor`.
pub fn pdf(executor: &mut Executor<'_>) {
    executor.expect("extract_text", &[json!(true)]);
    executor.ignore(&["extract_pages", "page_separator"]);
    extractor(executor, "pdf.text", "pdf_output");
}

/// `word_extractor`.
pub fn word(executor: &mut Executor<'_>) {
    executor.expect("extract_text", &[json!(true)]);
    executor.ignore(&["extract_paragraphs", "extract_tables", "paragraph_separator"]);
    executor.ignore(&["include_empty_paragraphs"]);
    extractor(executor, "docx.text", "word_output");
}

/// `powerpoint_extractor`.
pub fn powerpoint(executor: &mut Executor<'_>) {
    executor.expect("extract_text", &[json!(true)]);
    executor.ignore(&["extract_slides", "extract_tables", "extract_notes", "slide_separator"]);
    executor.expect("include_slide_layouts", &[json!(false)]);
    extractor(executor, "pptx.text", "pptx_output");
}

/// `excel_extractor`: the rows of one sheet.
pub fn excel(executor: &mut Executor<'_>) {
    executor.ignore(&["extract_text", "extract_sheets", "extract_tables", "sheet_separator"]);
    executor.ignore(&["include_empty_cells", "read_only", "data_only"]);
    for name in ["extract_formulas", "extract_comments"] {
        executor.expect(name, &[json!(false)]);
    }
    for name in ["max_rows_per_table", "max_columns_per_table"] {
        executor.expect(name, &[json!(0)]);
    }
    executor.note("`xlsx.rows` reads one sheet, the first unless `sheet` names another");
    extractor(executor, "xlsx.rows", "excel_output");
}

/// `csv_extractor`.
pub fn csv(executor: &mut Executor<'_>) {
    executor.rename("delimiter", "separator");
    executor.rename("has_header", "header");
    executor.expect("quotechar", &[json!("\"")]);
    executor.expect("encoding", &[json!("utf-8"), json!("utf-8-sig"), json!("ascii")]);
    executor.expect("max_rows", &[json!(0)]);
    executor.ignore(&["skip_empty_rows", "strip_whitespace"]);
    for name in ["infer_types", "extract_text"] {
        executor.expect(name, &[json!(false)]);
    }
    extractor(executor, "csv.rows", "csv_output");
}

/// `recursive_text_chunker`.
pub fn chunker(executor: &mut Executor<'_>) {
    executor.becomes("text.chunk");
    text_of_input(executor);
    executor.rename("output_field", "output");
    executor.rename("chunk_size", "size");
    let position = executor.position();
    let theirs = Node { position, value: Value::Number(200.into()) };
    let overlap = executor.take("chunk_overlap").unwrap_or(theirs);
    executor.set("overlap", overlap);
    if let Some(measure) = executor.take("length_function") {
        match measure.as_text() {
            Some("characters") => {}
            _ => executor.set("by", measure),
        }
    }
    executor.expect("separators", &[json!("\n\n,\n,."), json!("\\n\\n,\\n,.")]);
    executor.ignore(&["keep_separator", "strip_whitespace", "min_chunk_size", "add_metadata"]);
    executor.ignore(&["include_page_numbers"]);
    executor.keep(&["text", "output", "size", "overlap", "by"]);
}

/// `language_detector`: by a table of letters, without a model.
pub fn language(executor: &mut Executor<'_>) {
    executor.becomes("language.detect");
    text_of_input(executor);
    executor.rename("output_field", "output");
    executor.ignore(&["endpoint", "deployment_name", "credential_type", "api_key"]);
    executor.ignore(&["temperature", "max_tokens", "max_retries", "retry_backoff_seconds"]);
    executor.ignore(&["include_confidence", "min_confidence", "iso_format"]);
    for name in ["detect_multiple", "detect_script", "detect_dialect", "include_full_response"] {
        executor.expect(name, &[json!(false)]);
    }
    executor.note("the language comes as a code of ISO 639-3, and no model is asked");
    executor.keep(&["text", "output"]);
}

/// The param with the text: an extractor's output is the text itself here.
fn text_of_input(executor: &mut Executor<'_>) {
    let Some(field) = executor.take("input_field") else { return };
    let name = field.as_text().map(|name| name.strip_suffix(".text").unwrap_or(name).to_owned());
    match name {
        Some(name) if name.contains('.') => {
            let message = format!("`input_field` must be a param, not `{name}` within one");
            executor.gap_at(&field, message);
        }
        Some(name) => executor.set("text", Node::text(field.position, name)),
        None => executor.set("text", field),
    }
}
