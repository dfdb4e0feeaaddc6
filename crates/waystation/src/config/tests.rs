//! Places, their order, and everything that can be wrong in them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Config, Given, Places, SETTINGS};

/// A folder with these files, and what else says settings.
struct World {
    folder: TempDir,
    places: Places,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let places = Places { folder: folder.path().to_owned(), ..Places::default() };
        Self { folder, places }
    }

    fn variables(mut self, variables: &[(&str, &str)]) -> Self {
        let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        self.places.variables = pairs.collect::<BTreeMap<_, _>>();
        self
    }

    fn flag(mut self, key: &'static str, flag: &'static str, value: Value) -> Self {
        self.places.flags.push(Given { key, flag, value });
        self
    }

    fn read(&self) -> Config {
        Config::read(&self.places).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn refused(&self, parts: &[&str]) {
        let error = Config::read(&self.places).expect_err("it is refused");
        assert_eq!(error.problems.len(), parts.len(), "{error}");
        for (problem, part) in error.problems.iter().zip(parts) {
            assert!(problem.contains(part), "{problem}, not {part}");
        }
        assert!(self.folder.path().is_dir());
    }
}

fn shown(config: &Config, key: &str) -> (Value, String) {
    let found = config.found.iter().find(|found| found.key == key).expect(key);
    (found.value.clone(), found.origin.to_string())
}

#[test]
fn each_place_goes_before_the_one_below_it() {
    let key = "engine.drain_seconds";
    let file = ("waystation.toml", "[engine]\ndrain_seconds = 10\n");
    let dot_env = (".env", "# Of this folder.\nWAYSTATION_ENGINE_DRAIN_SECONDS='20'\n");
    let world = World::new(&[]);
    assert_eq!(shown(&world.read(), key), (json!(30), "default".into()));
    let world = World::new(&[file]);
    assert_eq!(shown(&world.read(), key), (json!(10), "waystation.toml:2".into()));
    let world = World::new(&[file, dot_env]);
    let name = "WAYSTATION_ENGINE_DRAIN_SECONDS";
    assert_eq!(shown(&world.read(), key), (json!(20), format!(".env {name}")));
    let world = world.variables(&[(name, "2.5")]);
    assert_eq!(shown(&world.read(), key), (json!(2.5), format!("variable {name}")));
    let world = world.flag(key, "--drain-seconds", json!(4));
    assert_eq!(shown(&world.read(), key), (json!(4), "flag --drain-seconds".into()));
    assert_eq!(world.read().settings.engine.drain.as_secs(), 4);
    // An empty variable says nothing.
    let world = World::new(&[file]).variables(&[(name, "")]);
    assert_eq!(shown(&world.read(), key).1, "waystation.toml:2");
}

#[test]
fn every_default_holds_and_every_variable_is_one_settings_alone() {
    let config = World::new(&[]).read();
    assert_eq!(config.settings.listen.to_string(), "127.0.0.1:7280");
    assert_eq!(config.settings.store, "sqlite://waystation.db");
    assert_eq!(config.settings.log_level, "warn");
    let mut names: Vec<String> = Vec::new();
    for setting in SETTINGS {
        names.push(setting.variable());
        names.extend(setting.alias.map(str::to_owned));
        let is_absent = shown(&config, setting.key).0.is_null();
        assert_eq!(is_absent, setting.default.is_empty(), "{}", setting.key);
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn yaml_says_the_same_as_toml() {
    let toml =
        "store = \"postgres://${DB_HOST}/jobs\"\nprevies = 1\n[engine]\npipelines = [\"a\"]\n";
    let yaml = "store: postgres://${DB_HOST}/jobs\nprevies: 1\nengine:\n  pipelines: [a]\n";
    for (name, text) in [("waystation.toml", toml), ("waystation.yaml", yaml)] {
        let world = World::new(&[(name, &text.replace("previes", "previews"))])
            .variables(&[("DB_HOST", "db")]);
        world.refused(&["`previews` must be a list of texts, not `1`"]);
        let world =
            World::new(&[(name, &text.replace("previes = 1\n", "").replace("previes: 1\n", ""))])
                .variables(&[("DB_HOST", "db")]);
        let settings = world.read().settings;
        assert_eq!(settings.store, "postgres://db/jobs", "{name}");
        assert_eq!(settings.engine.pipelines, ["a"]);
        let mistyped = World::new(&[(name, text)]);
        mistyped.refused(&[
            "`${DB_HOST}` is not set",
            "unknown setting `previes` (hint: did you mean `previews`?)",
        ]);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let file = "stroe = \"sqlite://a.db\"\nlog_level = \"loud\"\n[engine]\nmemory_mib = 1\n";
    let world = World::new(&[("waystation.toml", file)])
        .variables(&[
            ("WAYSTATION_LISTEN_HOST", "here"),
            ("WAYSTATION_QEUE", "amqp://x"),
            ("WAYSTATION_SOMETHING_ELSE", "x"),
            ("WAYSTATION_STAGE", "detect"),
            ("API_ENABLED", "perhaps"),
        ])
        .flag("engine.lease_seconds", "--lease-seconds", json!(0));
    world.refused(&[
        "waystation.toml:1:9: unknown setting `stroe` (hint: did you mean `store`?)",
        "waystation.toml:2: `log_level` must be error or warn or info or debug or trace, not \
         `loud`",
        "waystation.toml:4: `engine.memory_mib` must be a whole number from 16",
        "variable WAYSTATION_LISTEN_HOST: `listen.host` must be an IP address, not `here`",
        "variable API_ENABLED: `engine.serve` must be true or false, not `perhaps` (hint: \
         WAYSTATION_ENGINE_SERVE goes before it)",
        "variable WAYSTATION_QEUE: there is no such setting (hint: did you mean WAYSTATION_QUEUE?)",
        "flag --lease-seconds: `engine.lease_seconds` must be a number of seconds from 1",
    ]);
}

#[test]
fn files_that_cannot_be_read_say_where() {
    let bad = World::new(&[("waystation.toml", "store = \"a\"\nstore = \"b\"\n")]);
    bad.refused(&["waystation.toml:2:1: no valid TOML"]);
    let two = World::new(&[("waystation.toml", ""), ("waystation.yaml", "")]);
    two.refused(&["say two things"]);
    let mut absent = World::new(&[]);
    absent.places.file = Some(PathBuf::from("none.toml"));
    absent.refused(&["none.toml: there is no such file of settings"]);
    let other = World::new(&[("a.ini", "")]).variables(&[("WAYSTATION_CONFIG", "a.ini")]);
    other.refused(&["ends neither in .toml nor in .yaml"]);
    let dot_env = World::new(&[(".env", "GOOD=1\nTOKEN=it's secret\n")]);
    let error = Config::read(&dot_env.places).expect_err("no line").to_string();
    assert!(error.contains(".env: a line cannot be read") && !error.contains("secret"), "{error}");
}

#[test]
fn secrets_are_never_shown() {
    let world = World::new(&[("waystation.toml", "queue = \"amqp://ann:s3cret@mq/%2f\"\n")])
        .variables(&[
            ("WAYSTATION_TOKEN", "wst_s3cret"),
            ("WAYSTATION_STORE", "postgres://db/jobs?user=ann&password=s3cret"),
        ]);
    let config = world.read();
    assert!(!format!("{:?}", config.found).contains("s3cret"));
    assert_eq!(shown(&config, "token").0, json!("***"));
    assert_eq!(config.settings.token.as_deref(), Some("wst_s3cret"));
}

/// What an environment that was made for ContentFlow says, holds here where it can.
#[test]
fn variables_of_contentflow_are_understood() {
    let world = World::new(&[(
        ".env",
        "WORKER_NAME=north\nNUM_PROCESSING_WORKERS=4\nNUM_SOURCE_WORKERS=2\n\
         DEFAULT_POLLING_INTERVAL_SECONDS=300\nLOCK_TTL_SECONDS=300\nMAX_TASK_RETRIES=3\n\
         TASK_TIMEOUT_SECONDS=600\nAPI_ENABLED=True\nAPI_HOST=0.0.0.0\nAPI_PORT=8099\n\
         LOG_LEVEL=WARNING\nQUEUE_VISIBILITY_TIMEOUT_SECONDS=300\nQUEUE_MAX_MESSAGES=32\n\
         COSMOS_DB_NAME=contentflow\nSCHEDULER_SLEEP_INTERVAL_SECONDS=5\n",
    )])
    .variables(&[("WAYSTATION_ENGINE_SOURCE_WORKERS", "1")]);
    let config = world.read();
    let settings = &config.settings;
    assert_eq!((settings.engine.processing_workers, settings.engine.source_workers), (4, 1));
    assert_eq!((settings.engine.lock.as_secs(), settings.engine.lease.as_secs()), (300, 300));
    assert_eq!(settings.stages.max_retries, Some(3));
    assert_eq!(settings.stages.timeout.map(|time| time.as_secs()), Some(600));
    assert_eq!(settings.stages.look_every.map(|time| time.as_secs()), Some(300));
    assert!(settings.engine.serve);
    assert_eq!(
        (settings.listen.to_string().as_str(), settings.log_level),
        ("0.0.0.0:8099", "warn")
    );
    let unused: Vec<_> = config.unused.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        unused,
        ["QUEUE_MAX_MESSAGES", "COSMOS_DB_NAME", "SCHEDULER_SLEEP_INTERVAL_SECONDS"]
    );
}

/// What people read is what the table says.
#[test]
fn page_has_a_row_for_each_setting() {
    let page = include_str!("../../../../docs/configuration.md");
    for setting in SETTINGS {
        let alias = setting.alias.map_or(String::new(), |alias| format!("`{alias}`"));
        let default = match setting.default {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let (key, variable, expects) = (setting.key, setting.variable(), setting.expects());
        let row = format!(
            "| `{key}` | `{variable}` | {alias} | {default} | {}: {expects} |",
            setting.summary
        );
        assert!(page.contains(&row), "docs/configuration.md lacks this row:\n{row}");
    }
}
