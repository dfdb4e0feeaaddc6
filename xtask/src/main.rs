//! Waystation's own automation: `cargo xtask <command>`.
//!
//! Depends on no product crate, so that it still runs when the product does not compile.

mod backends;
mod bench;
mod cargo;
mod pictures;
mod programs;
mod services;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::bail;

const HELP: &str = "\
Usage: cargo xtask <command> [arguments]

Commands:
  test [arguments]    Run the whole gate; the arguments go to the test runner
  tidy                Check the rules on crates, budgets and words
  bench [arguments]   Run the pipeline benchmark; the arguments go to the benchmark
  pictures [SECONDS]  Take the pictures of docs/pictures/, after the showcase ran so long; takes
                      Chromium
  services up|down|status [postgres rabbitmq redis]
                      Servers for the tests, on Debian as root; elsewhere see compose.yaml
  help                Print this page

Environment of test:
  WAYSTATION_REQUIRE  Services to bring up first, as in `postgres,redis`; without it, CI=true
                      brings up those that every build server must have
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        bail!("no command given\n\n{HELP}");
    };
    // Only the first two: further behind, `-h` belongs to the runner.
    let asks_help = |word: &String| word == "--help" || word == "-h";
    if command == "help" || arguments.iter().take(2).any(asks_help) {
        print!("{HELP}");
        return Ok(());
    }
    match command.as_str() {
        "test" => test::run(&cargo::workspace_root()?, rest),
        "tidy" if rest.is_empty() => tidy::run(&cargo::workspace_root()?),
        "tidy" => bail!("tidy takes no arguments, got `{}`", rest.join(" ")),
        "services" => services::run(&cargo::workspace_root()?, rest),
        "pictures" => pictures::run(&cargo::workspace_root()?, rest),
        "bench" => bench::run(&cargo::workspace_root()?, rest),
        unknown => bail!("unknown command `{unknown}`\n\n{HELP}"),
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    fn message_of(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        run(&arguments).expect_err("the arguments are wrong").to_string()
    }

    #[test]
    fn wrong_commands_name_themselves_and_list_the_right_ones() {
        let message = message_of(&["tydi"]);
        assert!(message.starts_with("unknown command `tydi`"), "{message}");
        assert!(message.contains("  tidy  "), "{message}");
        assert!(message_of(&[]).starts_with("no command given"));
    }

    #[test]
    fn tidy_refuses_arguments_rather_than_ignoring_them() {
        assert_eq!(message_of(&["tidy", "--fix"]), "tidy takes no arguments, got `--fix`");
    }
}
