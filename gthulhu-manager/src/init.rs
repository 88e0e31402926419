//! First start: the keys, the certificate authority and the manager's own certificate, made once in the state
//! directory. Files are 0600 in 0700 directories; what is already there is never touched.

use std::path::{Path, PathBuf};

use gthulhu_http::certs::Ca;
use gthulhu_http::files;
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::tls::identity;

/// Where things lie below the state directory.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout below `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Signs user tokens.
    pub fn user_jwt_key(&self) -> PathBuf {
        self.dir.join("keys/user-jwt.key")
    }

    /// The public half of the key that signed user tokens before, as long as those are good.
    pub fn user_jwt_old_pub(&self) -> PathBuf {
        self.dir.join("keys/user-jwt.old.pub")
    }

    /// Signs tokens towards decision makers; every decision maker has the same file.
    pub fn dm_token_key(&self) -> PathBuf {
        self.dir.join("keys/dm-token.key")
    }

    /// Its public half, for those who only ask.
    pub fn dm_token_pub(&self) -> PathBuf {
        self.dir.join("keys/dm-token.pub")
    }

    /// The first administrator's one-time password.
    pub fn admin_password(&self) -> PathBuf {
        self.dir.join("admin-password")
    }

    /// The authority's certificate, which both sides trust.
    pub fn ca_cert(&self) -> PathBuf {
        self.cert("ca.crt")
    }

    /// The authority's key.
    pub fn ca_key(&self) -> PathBuf {
        self.cert("ca.key")
    }

    /// The manager's own certificate.
    pub fn manager_cert(&self) -> PathBuf {
        self.cert("manager.crt")
    }

    /// The key of that certificate.
    pub fn manager_key(&self) -> PathBuf {
        self.cert("manager.key")
    }

    fn cert(&self, name: &str) -> PathBuf {
        self.dir.join("certs").join(name)
    }
}

/// Why the first start failed.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file or directory could not be made or read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// A key could not be made or read.
    #[error("{path}: {source}")]
    Key {
        /// The key's file.
        path: String,
        /// What is wrong with it.
        source: gthulhu_http::keys::KeyError,
    },
    /// A certificate could not be made.
    #[error("certificates: {0}")]
    Cert(#[from] gthulhu_http::certs::CertError),
}

/// Makes what is missing below `dir` and returns the files made, in order. Running it again makes nothing.
pub fn run(dir: &Path) -> Result<Vec<PathBuf>, InitError> {
    let layout = Layout::new(dir);
    for dir in [dir.to_path_buf(), dir.join("keys"), dir.join("certs")] {
        files::private_dir(&dir)?;
    }
    let mut made = Vec::new();
    user_key(&layout, &mut made)?;
    dm_pair(&layout, &mut made)?;
    authority(&layout, &mut made)?;
    Ok(made)
}

fn user_key(layout: &Layout, made: &mut Vec<PathBuf>) -> Result<(), InitError> {
    if !layout.user_jwt_key().exists() {
        let path = layout.user_jwt_key();
        write(&path, &generate(&path)?.to_pem(), made)?;
    }
    Ok(())
}

/// One pair for all decision makers. A public half alone is left alone: its private half was taken away on purpose.
fn dm_pair(layout: &Layout, made: &mut Vec<PathBuf>) -> Result<(), InitError> {
    let (private, public) = (layout.dm_token_key(), layout.dm_token_pub());
    if public.exists() {
        return Ok(());
    }
    if !private.exists() {
        write(&private, &generate(&private)?.to_pem(), made)?;
    }
    let text = files::read_private(&private)?;
    let key = PrivateKey::from_pem(&text).map_err(|source| key_error(&private, source))?;
    write(&public, &key.public().to_pem(), made)
}

fn authority(layout: &Layout, made: &mut Vec<PathBuf>) -> Result<(), InitError> {
    if layout.ca_cert().exists() {
        return Ok(());
    }
    let ca = Ca::generate("Gthulhu-Private-CA")?;
    let manager = ca.issue_client(identity::MANAGER)?;
    // The authority's certificate comes last: it is the sign that all four are there.
    write(&layout.ca_key(), &ca.key_pem(), made)?;
    write(&layout.manager_key(), &manager.key_pem, made)?;
    write(&layout.manager_cert(), &manager.cert_pem, made)?;
    write(&layout.ca_cert(), &ca.cert_pem(), made)
}

fn generate(path: &Path) -> Result<PrivateKey, InitError> {
    PrivateKey::generate().map_err(|source| key_error(path, source))
}

fn key_error(path: &Path, source: gthulhu_http::keys::KeyError) -> InitError {
    InitError::Key { path: path.display().to_string(), source }
}

fn write(path: &Path, text: &str, made: &mut Vec<PathBuf>) -> Result<(), InitError> {
    files::write_atomic(path, text.as_bytes(), 0o600)?;
    made.push(path.to_path_buf());
    Ok(())
}
