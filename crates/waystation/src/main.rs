//! The `waystation` program.

mod cli;
#[cfg(feature = "images")]
mod demo;

fn main() -> std::process::ExitCode {
    cli::main()
}
