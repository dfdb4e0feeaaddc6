//! The program's settings: what was said, where, and what holds.
//!
//! A later place goes before an earlier one: the default, a file (`waystation.toml` or
//! `waystation.yaml`), `.env`, the variables of the process, flags. One table ([`SETTINGS`]) has
//! every setting; whatever is wrong in any place is told at once.

mod file;
mod foreign;
mod settings;
mod shown;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waystation_core::pipeline::load::Leaf;
use waystation_core::pipeline::nearest;

pub use file::NAMES;
pub use settings::{Engine, Settings};
pub use table::{Kind, SETTINGS, Setting};
pub use variables::DOT_ENV;

use value::Refused;

/// The variable that names the file of settings.
pub const VARIABLE: &str = "WAYSTATION_CONFIG";

/// Everything that settings are read from.
#[derive(Default)]
pub struct Places {
    /// The working directory, where the file and `.env` are looked for.
    pub folder: PathBuf,
    /// The file that a flag names.
    pub file: Option<PathBuf>,
    /// The variables of the process.
    pub variables: BTreeMap<String, String>,
    /// What flags say.
    pub flags: Vec<Given>,
}

/// What a flag says of a setting.
#[derive(Clone, Debug)]
pub struct Given {
    /// The setting's key.
    pub key: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// The value.
    pub value: Value,
}

impl Given {
    /// What a flag says, if it is there.
    pub fn new(
        key: &'static str,
        flag: &'static str,
        value: Option<impl Into<Value>>,
    ) -> Option<Self> {
        value.map(|value| Self { key, flag, value: value.into() })
    }
}

/// Where a value comes from; the later goes before the earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A file says it.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A variable in `.env` says it.
    DotEnv(String),
    /// A variable says it.
    Variable(String),
    /// A flag says it.
    Flag(&'static str),
}

impl Origin {
    /// How far it goes before others, whatever it is exactly.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::DotEnv(_) => 2,
            Self::Variable(_) => 3,
            Self::Flag(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::DotEnv(name) => write!(formatter, "{DOT_ENV} {name}"),
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::Flag(flag) => write!(formatter, "flag {flag}"),
        }
    }
}

/// A setting's value, and where it comes from.
#[derive(Clone, Debug)]
pub struct Found {
    /// The setting's key.
    pub key: &'static str,
    /// The value as it may be shown; null where there is none.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// What holds.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// The file that they were read from, where there is one.
    pub file: Option<PathBuf>,
    /// Each setting's value and origin, in the order of the table.
    pub found: Vec<Found>,
    /// Variables of ContentFlow that are set and have no meaning here, each with the reason.
    pub unused: Vec<(&'static str, &'static str)>,
    /// What `.env` holds, for names in pipeline files.
    pub dot_env: BTreeMap<String, String>,
}

/// Everything that is wrong with settings, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// The problems.
    pub problems: Vec<String>,
}

impl Config {
    /// Reads every place, or tells everything that is wrong in any of them.
    pub fn read(places: &Places) -> Result<Self, ConfigError> {
        let mut reader = Reader::new();
        let (dot_env, problems) = variables::dot_env(&places.folder);
        reader.problems.extend(problems);
        let all = || {
            let real = places.variables.iter().filter(|(_, value)| !value.is_empty());
            dot_env.iter().chain(real).map(|(name, value)| (name.clone(), value.clone()))
        };
        let all: BTreeMap<String, String> = all().collect();
        let named = places.file.clone().or_else(|| all.get(VARIABLE).map(PathBuf::from));
        let file = match file::find(&places.folder, named.as_deref()) {
            Ok(file) => file,
            Err(problem) => {
                reader.problems.push(problem);
                None
            }
        };
        if let Some(path) = &file {
            reader.file(&places.folder, path, &all);
        }
        reader.variables(&dot_env, DOT_ENV, Origin::DotEnv);
        reader.variables(&places.variables, "variable", Origin::Variable);
        for Given { key, flag, value } in &places.flags {
            reader.put(key, value, Origin::Flag(flag));
        }
        reader.end(file, foreign::unused(&all), dot_env)
    }

    /// Where the value of a setting comes from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.found.iter().find(|found| found.key == key).map(|found| &found.origin)
    }
}

/// Puts what is said on top of what was said before.
struct Reader {
    settings: Settings,
    found: Vec<Found>,
    problems: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        let nothing = |setting: &Setting| Found {
            key: setting.key,
            value: Value::Null,
            origin: Origin::Default,
        };
        let found = SETTINGS.iter().map(nothing).collect();
        let mut reader = Self { settings: Settings::blank(), found, problems: Vec::new() };
        for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
            reader.put(setting.key, &Value::from(setting.default), Origin::Default);
        }
        reader
    }

    fn file(&mut self, folder: &Path, path: &Path, variables: &BTreeMap<String, String>) {
        let environment = |name: &str| variables.get(name).cloned();
        let (leaves, problems) = file::read(folder, path, &environment);
        let name = path.display();
        self.problems.extend(problems.into_iter().map(|problem| {
            let gap = if problem.position.is_some() { "" } else { " " };
            format!("{name}:{gap}{problem}")
        }));
        for Leaf { path: key, position, value } in leaves {
            let Some(setting) = Setting::of(&key) else {
                let (line, column) = (position.line, position.column);
                self.problems.push(format!("{name}:{line}:{column}: {}", unknown(&key)));
                continue;
            };
            let origin = Origin::File { path: path.to_owned(), line: position.line };
            self.put(setting.key, &value, origin);
        }
    }

    fn variables(
        &mut self,
        variables: &BTreeMap<String, String>,
        place: &str,
        origin: fn(String) -> Origin,
    ) {
        for setting in SETTINGS {
            if let Some((name, value)) = variables::said(setting, variables) {
                self.put(setting.key, &Value::from(value), origin(name));
            }
        }
        self.problems.extend(variables::mistyped(variables, place));
    }

    fn put(&mut self, key: &'static str, value: &Value, origin: Origin) {
        let at = SETTINGS.iter().position(|setting| setting.key == key);
        let Some((setting, found)) = at.map(|at| (&SETTINGS[at], &mut self.found[at])) else {
            self.problems.push(format!("{origin}: there is no setting `{key}`"));
            return;
        };
        match setting.put(&mut self.settings, value) {
            Ok(value) => *found = Found { key, value, origin },
            Err(Refused(got)) => {
                let expected = setting.expects();
                let hint = match (&origin, setting.alias) {
                    (Origin::Variable(name) | Origin::DotEnv(name), Some(alias))
                        if name == alias =>
                    {
                        format!(" (hint: {} goes before it)", setting.variable())
                    }
                    _ => String::new(),
                };
                self.problems
                    .push(format!("{origin}: `{key}` must be {expected}, not {got}{hint}"));
            }
        }
    }

    fn end(
        self,
        file: Option<PathBuf>,
        unused: Vec<(&'static str, &'static str)>,
        dot_env: BTreeMap<String, String>,
    ) -> Result<Config, ConfigError> {
        let Self { settings, found, problems } = self;
        if problems.is_empty() {
            Ok(Config { settings, file, found, unused, dot_env })
        } else {
            Err(ConfigError { problems })
        }
    }
}

/// That no setting has this key, and which one was probably meant.
fn unknown(key: &str) -> String {
    let hint = match nearest(key, SETTINGS.iter().map(|setting| setting.key)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`waystation config show` lists all settings".to_owned(),
    };
    format!("unknown setting `{key}` (hint: {hint})")
}
