//! The `waystation` program.

mod cli;
#[cfg(feature = "images")]
mod demo;

fn main() -> std::process::ExitCode {
    #[cfg(feature = "documents")]
    waystation::parse_if_asked();
    cli::main()
}
