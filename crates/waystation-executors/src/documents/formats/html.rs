//! Pages of the web: a line a block, tabs between the cells of a row, `- ` before what a list
//! holds. Scripts, styles and what else nobody sees are left out.

use ego_tree::iter::Edge;
use scraper::{Html, Node};

use super::text::Text;
use super::{Facts, Pages, Refusal, encoding};

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "ul",
];
/// Elements with an empty line around them.
const APART: &[&str] =
    &["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"];
/// Elements that nobody sees.
const UNSEEN: &[&str] = &[
    "head", "iframe", "math", "noscript", "object", "script", "style", "svg", "template",
    "textarea", "title",
];

/// Its text.
pub fn pages(bytes: &[u8], said: Option<&str>, bytes_max: u64) -> Result<Pages, Refusal> {
    let page = Html::parse_document(&encoding::page(bytes, said));
    let mut writer = Writer { text: Text::new(bytes_max), unseen: 0, verbatim: 0, space: false };
    for edge in page.tree.root().traverse() {
        match edge {
            Edge::Open(node) => match node.value() {
                Node::Element(element) => writer.open(element.name())?,
                Node::Text(text) => writer.write(text)?,
                _ => {}
            },
            Edge::Close(node) => {
                if let Node::Element(element) = node.value() {
                    writer.close(element.name())?;
                }
            }
        }
    }
    let facts = Facts::new("html").text("title", title(&page));
    Ok(Pages { texts: vec![writer.text.take()], facts })
}

fn title(page: &Html) -> Option<String> {
    let mut nodes = page.tree.nodes();
    let title = nodes
        .find(|node| node.value().as_element().is_some_and(|element| element.name() == "title"))?;
    let parts = title.children().filter_map(|child| child.value().as_text().map(|text| &**text));
    let text: String = parts.collect();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

struct Writer {
    text: Text,
    /// How many elements around it nobody sees.
    unseen: usize,
    /// How many around it keep their blanks.
    verbatim: usize,
    /// Whether blanks came since the last word.
    space: bool,
}

impl Writer {
    fn open(&mut self, name: &str) -> Result<(), Refusal> {
        if UNSEEN.contains(&name) {
            self.unseen += 1;
        }
        if self.unseen > 0 {
            return Ok(());
        }
        if BLOCKS.contains(&name) {
            self.break_line(name)?;
        }
        match name {
            "br" => self.new_line(),
            "li" => self.text.push("- "),
            "pre" => {
                self.verbatim += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, name: &str) -> Result<(), Refusal> {
        if UNSEEN.contains(&name) {
            self.unseen = self.unseen.saturating_sub(1);
            return Ok(());
        }
        if self.unseen > 0 {
            return Ok(());
        }
        if name == "pre" {
            self.verbatim = self.verbatim.saturating_sub(1);
        }
        if name == "td" || name == "th" {
            self.space = false;
            return self.text.push("\t");
        }
        if BLOCKS.contains(&name) { self.break_line(name) } else { Ok(()) }
    }

    fn write(&mut self, text: &str) -> Result<(), Refusal> {
        if self.unseen > 0 {
            return Ok(());
        }
        if self.verbatim > 0 {
            return self.text.push(text);
        }
        self.space |= text.starts_with(char::is_whitespace);
        for word in text.split_whitespace() {
            let begins = self.text.as_str().is_empty()
                || self.text.as_str().ends_with(['\n', '\t'])
                || self.text.as_str().ends_with("\n- ");
            if self.space && !begins {
                self.text.push(" ")?;
            }
            self.text.push(word)?;
            self.space = true;
        }
        self.space = text.ends_with(char::is_whitespace);
        Ok(())
    }

    fn break_line(&mut self, name: &str) -> Result<(), Refusal> {
        self.space = false;
        // Blanks that end a line, and tabs after a row's last cell, go when the text is done.
        self.text.end_line()?;
        if APART.contains(&name) { self.text.push("\n") } else { Ok(()) }
    }

    fn new_line(&mut self) -> Result<(), Refusal> {
        self.space = false;
        self.text.push("\n")
    }
}
