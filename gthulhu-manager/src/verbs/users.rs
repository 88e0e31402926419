//! `users ...`: for those who cannot log in any more. The manager is stopped meanwhile.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::FileArgs;
use gthulhu_http::{files, random};

use super::{Place, say};
use crate::domain::Status;
use crate::service::{ErrorKind, ServiceError};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UsersVerb {
    /// Make a user, who must change the password at the first login
    Create {
        /// The new user's name
        name: String,
        /// A role of the user; may be given several times
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// The password, and which configuration
        #[command(flatten)]
        common: Common,
    },
    /// Give a user a password that must be changed at the next login
    ///
    /// One who was inactive can log in again; every token of the user ends.
    ResetPassword {
        /// Whose
        name: String,
        /// The password, and which configuration
        #[command(flatten)]
        common: Common,
    },
    /// List users: name, status, roles
    List {
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
}

/// Where the password comes from, and which store.
#[derive(Debug, Args)]
pub struct Common {
    /// Read the password from this file (mode 0600) or, with -, from standard input; else one is made and printed
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Which configuration
    #[command(flatten)]
    pub files: FileArgs,
}

pub(super) fn run(verb: &UsersVerb) -> Result<(), Exit> {
    match verb {
        UsersVerb::Create { name, roles, common } => {
            with_password(common, |service, password| service.make_user(name, password, roles))
        }
        UsersVerb::ResetPassword { name, common } => {
            with_password(common, |service, password| service.rescue_user(name, password))
        }
        UsersVerb::List { files } => {
            let users = Place::of(files)?.service()?.everybody();
            users.into_iter().try_for_each(|(name, status, roles)| {
                let status = match status {
                    Status::Active => "active",
                    Status::Inactive => "inactive",
                    Status::MustChangePassword => "must change the password",
                };
                say(format!("{name}\t{status}\t{}", roles.join(",")))
            })
        }
    }
}

fn with_password(
    common: &Common,
    change: impl FnOnce(&crate::service::Service, &str) -> Result<(), ServiceError>,
) -> Result<(), Exit> {
    let given = common.password_file.as_deref().map(read).transpose()?;
    let service = Place::of(&common.files)?.service()?;
    let password = given.clone().unwrap_or_else(random::password);
    change(&service, &password).map_err(|error| {
        let code = match error.kind() {
            ErrorKind::Unavailable(_) | ErrorKind::Internal => exit::IO_ERROR,
            _ => exit::DATA,
        };
        Exit::from_error(code, &error)
    })?;
    match given {
        Some(_) => Ok(()),
        None => say(&password),
    }
}

/// The first line.
fn read(file: &Path) -> Result<String, Exit> {
    let mut text = String::new();
    if file == Path::new("-") {
        let read = std::io::stdin().lock().take(files::PRIVATE_MAX).read_to_string(&mut text);
        read.map_err(|error| Exit::new(exit::NO_INPUT, format!("standard input: {error}")))?;
    } else {
        text = files::read_private(file).map_err(|error| Exit::from_error(exit::NO_INPUT, &error))?;
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
