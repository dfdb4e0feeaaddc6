//! Conditions of ContentFlow, as CEL over a job's params.
//!
//! Their grammar: `PATH OPERATOR VALUE`, joined by `and` and `or`. As there, `or` binds closer:
//! `a or b and c` is `(a or b) and c`. A path leads through their `Content`: what lies in its
//! `data` lies in the params here. What is absent equals null and nothing else.

use super::token::{Operator, Step, Token, tokens};

/// How deep brackets may be nested, and how many steps a path may have.
const DEPTH_MAX: usize = 10;

/// The condition in CEL, or why there is none.
pub fn to_cel(text: &str) -> Result<String, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let cel = parser.both()?;
    match parser.peek() {
        None => Ok(cel),
        Some(token) => Err(format!("`{token}` is one too many")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    /// Parts that must all hold.
    fn both(&mut self) -> Result<String, String> {
        let mut parts = vec![self.either()?];
        while self.takes(&Token::And) {
            parts.push(self.either()?);
        }
        Ok(joined(parts, " && "))
    }

    /// Parts of which one must hold.
    fn either(&mut self) -> Result<String, String> {
        let mut parts = vec![self.one()?];
        while self.takes(&Token::Or) {
            parts.push(self.one()?);
        }
        Ok(joined(parts, " || "))
    }

    fn one(&mut self) -> Result<String, String> {
        if !self.takes(&Token::Open) {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("brackets are nested deeper than {DEPTH_MAX}"));
        }
        let inner = self.both()?;
        if !self.takes(&Token::Close) {
            return Err("a bracket is not closed".to_owned());
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<String, String> {
        let path = match self.next() {
            Some(Token::Path(steps)) => Place::of(steps)?,
            Some(other) => return Err(format!("a field is due, not `{other}`")),
            None => return Err("a field is due at the end".to_owned()),
        };
        let operator = match self.next() {
            Some(Token::Operator(operator)) => operator,
            Some(other) => return Err(format!("an operator is due, not `{other}`")),
            None => return Err("an operator is due at the end".to_owned()),
        };
        if matches!(operator, Operator::IsEmpty | Operator::IsNotEmpty) {
            return Ok(path.compare(operator, &Literal::Plain(String::new())));
        }
        let value = self.value()?;
        if let (Operator::StartsWith | Operator::EndsWith | Operator::Matches, Literal::List(_)) =
            (operator, &value)
        {
            return Err("a text is due, not a list".to_owned());
        }
        Ok(path.compare(operator, &value))
    }

    fn value(&mut self) -> Result<Literal, String> {
        let literal = match self.next() {
            Some(Token::Text(text)) => Literal::Text(text),
            Some(Token::Number(number)) => Literal::Plain(number),
            // A word without quotes is a text, unless it is one of these.
            Some(Token::Path(steps)) => match steps.as_slice() {
                [Step::Field(word)] => match word.to_ascii_lowercase().as_str() {
                    word @ ("true" | "false") => Literal::Plain(word.to_owned()),
                    "null" | "none" => Literal::Plain("null".to_owned()),
                    _ => Literal::Text(word.clone()),
                },
                _ => return Err("a value is due, not a field".to_owned()),
            },
            Some(Token::ListOpen) => {
                let mut items = Vec::new();
                while !self.takes(&Token::ListClose) {
                    match self.value()? {
                        Literal::List(_) => return Err("a list stands within a list".to_owned()),
                        item => items.push(item.cel()),
                    }
                    if !self.takes(&Token::Comma) && self.peek() != Some(&Token::ListClose) {
                        return Err("a list is not closed".to_owned());
                    }
                }
                Literal::List(items)
            }
            Some(other) => return Err(format!("a value is due, not `{other}`")),
            None => return Err("a value is due at the end".to_owned()),
        };
        Ok(literal)
    }
}

fn joined(mut parts: Vec<String>, operator: &str) -> String {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let bracketed = |part: String| {
        if part.contains(" && ") || part.contains(" || ") { format!("({part})") } else { part }
    };
    parts.into_iter().map(bracketed).collect::<Vec<_>>().join(operator)
}

/// What a field is held against.
enum Literal {
    Text(String),
    /// As CEL has it, too.
    Plain(String),
    /// Items in CEL.
    List(Vec<String>),
}

impl Literal {
    fn cel(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Plain(plain) => plain.clone(),
            Self::List(items) => format!("[{}]", items.join(", ")),
        }
    }

    /// The same as a text, where only texts are compared.
    fn as_text(&self) -> String {
        match self {
            Self::Text(text) | Self::Plain(text) => quoted(text),
            Self::List(_) => self.cel(),
        }
    }
}

/// A text of CEL, whose escapes are among those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A field in CEL, and what must hold so that it can be looked at.
struct Place {
    field: String,
    guards: Vec<String>,
}

impl Place {
    fn of(steps: Vec<Step>) -> Result<Self, String> {
        if steps.len() > DEPTH_MAX {
            return Err(format!("a field lies deeper than {DEPTH_MAX}"));
        }
        let mut steps = in_params(steps).into_iter();
        let Some(Step::Field(field)) = steps.next() else {
            return Err("a field begins with a name".to_owned());
        };
        if field.contains('-') {
            return Err(format!(
                "param `{field}` has a `-` in its name, which no condition can ask"
            ));
        }
        let mut place = Self { field, guards: Vec::new() };
        for step in steps {
            place.go(&step);
        }
        Ok(place)
    }

    fn go(&mut self, step: &Step) {
        let field = &self.field;
        self.guards.push(format!("{field} != null"));
        let (guard, next) = match step {
            Step::Field(name) if !name.contains('-') => {
                (format!("has({field}.{name})"), format!("{field}.{name}"))
            }
            Step::Field(name) | Step::Key(name) => {
                let name = quoted(name);
                (format!("{name} in {field}"), format!("{field}[{name}]"))
            }
            Step::Index(index) => (format!("size({field}) > {index}"), format!("{field}[{index}]")),
        };
        self.guards.push(guard);
        self.field = next;
    }

    /// What holds where the field is there and this holds of it.
    fn there_and(&self, holds: String) -> String {
        let mut parts = self.guards.clone();
        parts.push(holds);
        joined(parts, " && ")
    }

    fn compare(&self, operator: Operator, value: &Literal) -> String {
        let (field, cel) = (&self.field, value.cel());
        let is_null = cel == "null";
        let present = |holds: String| {
            let mut parts = self.guards.clone();
            parts.extend([format!("{field} != null"), holds]);
            joined(parts, " && ")
        };
        let not = |holds: String| format!("!({holds})");
        // Of a list as well as of a text.
        let contained = match value {
            Literal::Text(_) => format!(
                "(type({field}) == type(\"\") ? {field}.contains({cel}) : {cel} in {field})"
            ),
            _ => format!("{cel} in {field}"),
        };
        let within = || match value {
            Literal::List(_) => format!("{field} in {cel}"),
            text => format!("{}.contains(string({field}))", text.as_text()),
        };
        match operator {
            Operator::Equal if is_null => not(present("true".to_owned())),
            Operator::Unequal if is_null => present("true".to_owned()),
            Operator::Equal => self.there_and(format!("{field} == {cel}")),
            Operator::Unequal => not(self.there_and(format!("{field} == {cel}"))),
            Operator::Order(sign) => present(format!("{field} {sign} {cel}")),
            Operator::Contains => present(contained),
            Operator::ContainsNot => not(present(contained)),
            Operator::In => present(within()),
            Operator::NotIn => not(present(within())),
            Operator::StartsWith => {
                present(format!("string({field}).startsWith({})", value.as_text()))
            }
            Operator::EndsWith => present(format!("string({field}).endsWith({})", value.as_text())),
            Operator::Matches => present(format!("string({field}).matches({})", value.as_text())),
            Operator::IsEmpty => not(present(format!("{field} != \"\" && {field} != []"))),
            Operator::IsNotEmpty => present(format!("{field} != \"\" && {field} != []")),
        }
    }
}

/// Where a field of their `Content` lies in the params.
fn in_params(mut steps: Vec<Step>) -> Vec<Step> {
    let name = |step: Option<&Step>| match step {
        Some(Step::Field(name)) => name.clone(),
        _ => String::new(),
    };
    match (name(steps.first()).as_str(), name(steps.get(1)).as_str()) {
        ("data", _) if steps.len() > 1 => drop(steps.remove(0)),
        ("id", second) => {
            let ours = match second {
                "canonical_id" => "url",
                "path" => "key",
                "filename" => "name",
                _ => return steps,
            };
            steps.splice(..2, [Step::Field(ours.to_owned())]);
        }
        _ => {}
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_cel;
    use crate::condition::Condition;

    #[test]
    fn conditions_hold_as_they_do_there() {
        let params = json!({
            "kind": "pdf", "pages": 12, "score": 0.5, "done": true, "nothing": null, "empty": "",
            "none": [], "words": ["and", "or"], "name": "a and b.pdf", "url": "az://box/a.pdf",
            "summary_data": { "author": "Ann", "x-y": 1 }, "items": [{ "x": 1 }, { "x": "two" }],
        });
        for (text, expected) in [
            ("data.kind == 'pdf'", true),
            ("kind == pdf", true),
            ("kind == \"docx\"", false),
            ("kind != 'docx'", true),
            ("pages > 10 and score <= 0.5", true),
            ("pages >= 12.5", false),
            ("done == true", true),
            ("done == False", false),
            // What is absent equals null alone.
            ("absent == 'x'", false),
            ("absent != 'x'", true),
            ("absent > 1", false),
            ("absent == null", true),
            ("nothing == none", true),
            ("kind != null", true),
            ("summary_data.author == 'Ann'", true),
            ("summary_data.absent == 'Ann'", false),
            ("summary_data.absent.deeper != 'Ann'", true),
            ("absent.deeper is_empty", true),
            ("summary_data.x-y == 1", true),
            ("items[1].x == 'two'", true),
            ("data.items[7].x == 'two'", false),
            ("summary_data['author'] == 'Ann'", true),
            ("kind in ['pdf', 'docx']", true),
            ("kind not_in ['pdf']", false),
            ("pages in [11, 12]", true),
            ("absent in ['pdf']", false),
            ("kind in 'a pdf file'", true),
            ("words contains 'or'", true),
            ("name contains ' and '", true),
            ("words not_contains 'xor'", true),
            ("name starts_with 'a' and name ends_with '.pdf'", true),
            ("pages starts_with 1", true),
            ("name regex_match '^a.*[.]pdf$'", true),
            ("name regex_match 'b'", true),
            ("empty is_empty", true),
            ("none is_empty", true),
            ("nothing is_not_empty", false),
            ("words is_not_empty", true),
            ("id.canonical_id starts_with 'az://'", true),
            ("id.filename ends_with 'pdf'", true),
            // `or` binds closer.
            ("kind == 'pdf' or done == true and pages == 0", false),
            ("kind == 'pdf' or (done == true and pages == 0)", true),
            ("(kind == 'docx' or kind == 'pdf') and done == true", true),
            ("name == 'a and b.pdf'", true),
        ] {
            let cel = to_cel(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            let condition = Condition::parse(&cel).unwrap_or_else(|why| panic!("{text}: {why}"));
            let holds = condition.holds(params.as_object().expect("an object"));
            let holds = holds.unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(holds, expected, "{text}: {cel}");
        }
    }

    #[test]
    fn what_is_no_condition_says_why() {
        for (text, why) in [
            ("", "a field is due at the end"),
            ("kind", "an operator is due at the end"),
            ("kind ==", "a value is due at the end"),
            ("kind == 'pdf' pages == 1", "`pages` is one too many"),
            ("document.metadata.get('file_type') == 'pdf'", "an operator is due, not `(`"),
            ("a == 1; b == 2", "`;` means nothing"),
            ("a.__class__ == 1", "`__class__` is no name of a field"),
            ("a.b.c.d.e.f.g.h.i.j.k == 1", "deeper than 10"),
            ("a == 'x", "a text is not closed"),
            ("(a == 1", "a bracket is not closed"),
            ("a in [1, 2", "a list is not closed"),
            ("a-b == 1", "has a `-` in its name"),
            ("a == eval(1)", "`(` is one too many"),
        ] {
            let refused = to_cel(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}, not {why}");
        }
    }
}
