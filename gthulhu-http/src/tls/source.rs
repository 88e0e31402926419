//! Where a certificate, its key and the authorities come from: PEM text in the configuration, or files.

use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::credentials::{Credentials, Fault, Part};
use crate::files;
use crate::settings::{Finding, Secret, rules};

/// One of the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pem {
    /// The text itself.
    Inline(Secret),
    /// The file that holds it.
    File(PathBuf),
}

impl Pem {
    /// What two keys of a section say, the first of which counts if both are set; none if neither is.
    pub fn of(inline: &str, path: &Path) -> Option<Pem> {
        if !inline.trim().is_empty() {
            return Some(Pem::Inline(Secret::from(inline)));
        }
        (!path.as_os_str().is_empty()).then(|| Pem::File(path.to_owned()))
    }

    fn suffix(&self) -> &'static str {
        match self {
            Pem::Inline(_) => "pem",
            Pem::File(_) => "path",
        }
    }

    fn read(&self) -> Result<String, String> {
        match self {
            Pem::Inline(text) => Ok(text.reveal().to_owned()),
            Pem::File(path) => {
                files::read_text(path).map(|(text, _)| text).map_err(|error| error.to_string())
            }
        }
    }
}

/// The section of a configuration that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The section's name.
    pub section: &'static str,
    /// `cert_pem` or `cert_path`: our certificate, and those between it and the authority.
    pub cert: Option<Pem>,
    /// `key_pem` or `key_path`: the key of that certificate.
    pub key: Option<Pem>,
    /// `ca_pem` or `ca_path`: the authorities that peers' certificates must come from. None: nothing is asked of peers.
    pub ca: Option<Option<Pem>>,
}

/// What was read, and a mark by which it is known again.
pub(super) struct Texts {
    cert: String,
    key: String,
    ca: Option<String>,
}

impl Source {
    /// Everything to be said about the section, which is on. Reads the files that it names.
    pub fn examine(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> =
            self.parts().iter().filter_map(|(part, pem)| self.text(*part, *pem).err()).collect();
        if found.is_empty() {
            found.extend(self.load().err());
        }
        found.extend(self.open_key());
        found
    }

    /// Reads all and makes credentials of them.
    pub(super) fn load(&self) -> Result<(Credentials, [u8; 32]), Finding> {
        let texts = self.texts()?;
        let credentials = Credentials::parse(&texts.cert, &texts.key, texts.ca.as_deref());
        Ok((credentials.map_err(|fault| self.finding(&fault))?, texts.mark()))
    }

    /// The files among the sources.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let pems = [self.cert.as_ref(), self.key.as_ref(), self.ca.as_ref().and_then(Option::as_ref)];
        pems.into_iter().flatten().filter_map(|pem| match pem {
            Pem::File(path) => Some(path.as_path()),
            Pem::Inline(_) => None,
        })
    }

    fn texts(&self) -> Result<Texts, Finding> {
        let ca = self.ca.as_ref().map(|ca| self.text(Part::Authority, ca.as_ref())).transpose()?;
        let cert = self.text(Part::Certificate, self.cert.as_ref())?;
        Ok(Texts { cert, key: self.text(Part::Key, self.key.as_ref())?, ca })
    }

    fn parts(&self) -> Vec<(Part, Option<&Pem>)> {
        let mut parts = vec![(Part::Certificate, self.cert.as_ref()), (Part::Key, self.key.as_ref())];
        parts.extend(self.ca.as_ref().map(|ca| (Part::Authority, ca.as_ref())));
        parts
    }

    fn text(&self, part: Part, pem: Option<&Pem>) -> Result<String, Finding> {
        let Some(pem) = pem else {
            let (key, inline) = (self.name(part, "path"), self.name(part, "pem"));
            return Err(Finding::wrong(key, format!("must name the file of {part} (or set {inline})")));
        };
        let name = self.name(part, pem.suffix());
        let text = pem.read().map_err(|error| {
            Finding::wrong(name.clone(), format!("must name the file of {part}: {error}"))
        })?;
        if rules::is_placeholder(&text) {
            let rule = format!("is the placeholder of an example; it must hold {part} in PEM");
            return Err(Finding::unserved(name, rule));
        }
        part.check_blocks(&text)
            .map_err(|why| Finding::wrong(name, format!("must hold {part} in PEM{why}")))?;
        Ok(text)
    }

    fn finding(&self, fault: &Fault) -> Finding {
        let pem = self.parts().into_iter().find(|(part, _)| *part == fault.part).and_then(|(_, pem)| pem);
        let suffix = pem.map_or("path", Pem::suffix);
        Finding::wrong(self.name(fault.part, suffix), format!("must hold {}: {}", fault.part, fault.why))
    }

    fn name(&self, part: Part, suffix: &str) -> String {
        format!("{}.{}_{suffix}", self.section, part.key())
    }

    /// A key that anybody on this machine may read. A volume of Kubernetes is like that unless it is told otherwise, so this
    /// is worth a word and not a refusal.
    fn open_key(&self) -> Option<Finding> {
        let Some(Pem::File(path)) = &self.key else { return None };
        let (_, mode) = files::read_text(path).ok()?;
        let rule =
            "names a file that everybody on this machine may read; give it mode 0600, or 0440 in a volume";
        (mode & 0o007 != 0).then(|| Finding::warning(self.name(Part::Key, "path"), rule))
    }
}

impl Texts {
    fn mark(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for text in [&self.cert, &self.key, self.ca.as_ref().unwrap_or(&String::new())] {
            context.update(&(text.len() as u64).to_le_bytes());
            context.update(text.as_bytes());
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(context.finish().as_ref());
        mark
    }
}
