//! The verbs that every daemon has besides its own: `config check`, `config show`, `completions`, `man`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::{Configuration, Examined, FileArgs, Level, environment, examine_found, show};
use crate::exit::{self, Exit};

/// What the help of every daemon says about exit codes.
#[macro_export]
macro_rules! exit_codes_help {
    () => {
        "Exit codes:
  0   done; of serve: stopped as asked, by SIGTERM or SIGINT
  64  the command line is wrong
  65  what is kept in the state directory is of a newer version, or not what it should be
  66  the configuration file is missing or cannot be read
  69  the address to listen on is taken
  70  a fault inside the program
  71  the system refused something it normally grants
  73  a file or directory cannot be made
  74  reading or writing failed
  75  another process uses the same state
  77  not permitted
  78  the configuration is wrong; the message names the key"
    };
}

/// Flatten this into a daemon's own subcommands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check the configuration, or show what it comes to
    Config {
        /// What to do with it
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Print the completions of a shell
    ///
    /// For bash, put the output into a file of ~/.local/share/bash-completion/completions named like this program; for
    /// zsh, into a file named like it with a leading underscore, in a directory of $fpath; for fish, into
    /// ~/.config/fish/completions.
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a directory, and list them
    Man {
        /// The directory, for instance /usr/local/share/man/man1; made if it is missing
        dir: PathBuf,
    },
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Find every mistake in the configuration, with file, line, column and what to write instead
    ///
    /// Looks at the file, at the environment and at the key files that they name, as serve does before it starts. Opens
    /// no connection and makes no file. Ends with 0, or with 78 if serve could not work with it. What only warns: values
    /// copied from an example, and features of another build; serve refuses those.
    Check(FileArgs),
    /// Print the configuration as TOML, with the origin of each value
    ///
    /// Prints what file and environment set; with --effective, every key. Secrets are printed as "...". The output is a
    /// configuration file that loads again.
    Show {
        /// Print every key, defaults as well
        #[arg(long)]
        effective: bool,
        /// Which file
        #[command(flatten)]
        file: FileArgs,
    },
}

/// Reads the command line. Help and version go to standard output and end with 0, mistakes with [`exit::USAGE`].
pub fn parse<P: Parser>() -> Result<P, ExitCode> {
    parse_from(std::env::args_os())
}

fn parse_from<P: Parser>(line: impl IntoIterator<Item = OsString>) -> Result<P, ExitCode> {
    P::try_parse_from(line).map_err(|shown| {
        // With the output gone nobody reads either.
        let _ = shown.print();
        ExitCode::from(if shown.use_stderr() { exit::USAGE } else { 0 })
    })
}

/// Does what the verb says; `P` is the whole command line, for completions and manual pages.
pub fn run<C: Configuration, P: CommandFactory>(verb: &Verb) -> ExitCode {
    exit::run(C::PROGRAM, || {
        let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
        match verb {
            Verb::Config { verb: ConfigVerb::Check(file) } => {
                check::<C>(&examined(file)?, &mut out, &mut err)
            }
            Verb::Config { verb: ConfigVerb::Show { effective, file } } => {
                print::<C>(&examined(file)?, *effective, &mut out, &mut err)
            }
            Verb::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut P::command(), C::PROGRAM, &mut script);
                written(out.write_all(&script))
            }
            Verb::Man { dir } => pages(P::command(), dir, &mut out),
        }
    })
}

fn examined<C: Configuration>(file: &FileArgs) -> Result<Examined<C>, Exit> {
    Ok(examine_found(file, environment)?)
}

pub(super) fn check<C: Configuration>(
    examined: &Examined<C>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Exit> {
    let said = examined.said();
    for (level, mistake) in &said {
        let (place, message) = (&mistake.place, &mistake.message);
        written(match level {
            Level::Wrong => writeln!(err, "{place}: {message}"),
            Level::Unserved => writeln!(err, "{place}: warning: {message}; serve refuses to start with it"),
            Level::Warning => writeln!(err, "{place}: warning: {message}"),
            Level::Note => writeln!(err, "{place}: note: {message}"),
        })?;
    }
    let count = |wanted: fn(&Level) -> bool| said.iter().filter(|(level, _)| wanted(level)).count();
    let mistakes = count(|level| *level == Level::Wrong);
    let warnings = count(|level| matches!(level, Level::Unserved | Level::Warning));
    let verdict = format!(
        "{}: {}, {}",
        examined.origins.file(),
        counted(mistakes, "mistake"),
        counted(warnings, "warning")
    );
    if mistakes > 0 {
        return Err(Exit::new(exit::CONFIG, verdict));
    }
    written(writeln!(out, "{verdict}"))
}

pub(super) fn print<C: Configuration>(
    examined: &Examined<C>,
    whole: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Exit> {
    let origins = &examined.origins;
    for mistake in &examined.mistakes {
        written(writeln!(err, "{mistake}"))?;
    }
    if !examined.mistakes.is_empty() {
        return Err(Exit::new(
            exit::CONFIG,
            format!("{}: {}", origins.file(), counted(examined.mistakes.len(), "mistake")),
        ));
    }
    let text = show::show(examined, whole).map_err(|error| Exit::from_error(exit::SOFTWARE, &error))?;
    let what = if whole { "every key" } else { "what file and environment set" };
    written(writeln!(out, "# {}, {what}, from {}", C::PROGRAM, origins.file()))?;
    written(out.write_all(text.as_bytes()))
}

fn pages(command: clap::Command, dir: &Path, out: &mut impl Write) -> Result<(), Exit> {
    let failed = |error: io::Error| Exit::new(exit::CANNOT_CREATE, format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    for page in manual(command).map_err(failed)? {
        let path = dir.join(page.0);
        std::fs::write(&path, page.1).map_err(failed)?;
        written(writeln!(out, "{}", path.display()))?;
    }
    Ok(())
}

/// A page for the program and one for each verb: file name and content.
pub(super) fn manual(mut command: clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        let page = clap_mangen::Man::new(command.clone());
        let mut text = Vec::new();
        page.render(&mut text)?;
        pages.push((page.get_filename(), text));
        open.extend(command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned());
    }
    pages.sort();
    Ok(pages)
}

/// A reader who has seen enough is no failure.
fn written(result: io::Result<()>) -> Result<(), Exit> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::new(exit::IO_ERROR, format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
