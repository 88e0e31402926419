//! Certificates of every kind, good ones and bad ones. What rcgen does not make, because nobody should, openssl makes.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use tempfile::TempDir;

/// A certificate, with those between it and the authority, and its key; both PEM.
#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// An authority, or what claims to be one.
pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) pem: String,
    /// What its own certificates need beside them to reach the root.
    between: String,
}

pub(crate) const CLIENT: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ClientAuth;
pub(crate) const SERVER: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ServerAuth;

/// Names that are alternative ones.
pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

pub(crate) fn loopback() -> SanType {
    SanType::IpAddress([127, 0, 0, 1].into())
}

/// A certificate that is good for its use by name: the rest is up to the test.
pub(crate) fn params(
    common_name: &str,
    uses: &[ExtendedKeyUsagePurpose],
    names: &[SanType],
) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.extended_key_usages = uses.to_vec();
    params.subject_alt_names = names.to_vec();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

/// The parameters of an authority that may have so many others below it.
fn authority(name: &str, below: Option<u8>) -> CertificateParams {
    let mut params = params(name, &[], &[]);
    params.is_ca = IsCa::Ca(below.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(crate) fn new() -> Authority {
        Authority::root(authority("Test-CA", None))
    }

    /// A root below which no other authority may be.
    pub(crate) fn last() -> Authority {
        Authority::root(authority("Test-CA", Some(0)))
    }

    /// One that ended long ago.
    pub(crate) fn over() -> Authority {
        let mut params = authority("Test-CA", None);
        params.not_after = date_time_ymd(2021, 1, 1);
        Authority::root(params)
    }

    /// One that is none yet.
    pub(crate) fn to_come() -> Authority {
        let mut params = authority("Test-CA", None);
        params.not_before = date_time_ymd(2110, 1, 1);
        Authority::root(params)
    }

    fn root(params: CertificateParams) -> Authority {
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { params, key, pem, between: String::new() }
    }

    /// An authority below this one.
    pub(crate) fn below(&self, most: Option<u8>) -> Authority {
        self.signed(authority("Intermediate-CA", most))
    }

    /// An authority below this one, for names below `example` only.
    pub(crate) fn of_names(&self, example: &str) -> Authority {
        let mut params = authority("Intermediate-CA", None);
        let permitted_subtrees = vec![GeneralSubtree::DnsName(example.to_owned())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
        self.signed(params)
    }

    /// Somebody with an ordinary certificate, who makes others all the same.
    pub(crate) fn impostor(&self) -> Authority {
        self.signed(params("Intermediate-CA", &[CLIENT, SERVER], &[]))
    }

    fn signed(&self, params: CertificateParams) -> Authority {
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer()).unwrap().pem();
        let between = format!("{pem}{}", self.between);
        Authority { params, key, pem, between }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    /// A certificate of this authority.
    pub(crate) fn paper(&self, params: &CertificateParams) -> Paper {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer()).unwrap().pem();
        Paper { cert: format!("{cert}{}", self.between), key: key.serialize_pem() }
    }

    /// One that openssl signs for such a key, with such a digest: `extensions` as its files have them.
    pub(crate) fn by_openssl(&self, key: &str, digest: &str, common_name: &str, extensions: &str) -> Paper {
        let dir = self.workshop();
        make(dir.path(), "own", key, "ca", digest, common_name, extensions);
        taken(dir.path(), "")
    }

    /// One by an authority of this one whose RSA key has 1024 bits.
    pub(crate) fn by_weak_authority(&self, common_name: &str, extensions: &str) -> Paper {
        let dir = self.workshop();
        make(dir.path(), "weak", &rsa(1024), "ca", "sha256", "Weak-CA", "basicConstraints=critical,CA:true");
        make(dir.path(), "own", P256, "weak", "sha256", common_name, extensions);
        let weak = fs::read_to_string(dir.path().join("weak.crt")).unwrap();
        taken(dir.path(), &weak)
    }

    /// A directory where openssl finds this authority.
    fn workshop(&self) -> TempDir {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("ca.crt"), &self.pem).unwrap();
        fs::write(dir.path().join("ca.key"), self.key.serialize_pem()).unwrap();
        dir
    }
}

/// A key of this sort and a certificate for it.
fn make(dir: &Path, name: &str, key: &str, by: &str, digest: &str, common_name: &str, extensions: &str) {
    fs::write(dir.join("ext"), extensions).unwrap();
    for line in [
        &format!("genpkey {key} -out {name}.key"),
        &format!("req -new -key {name}.key -subj /CN={common_name} -out {name}.csr"),
        &format!(
            "x509 -req -days 30 -{digest} -in {name}.csr -CA {by}.crt -CAkey {by}.key -CAcreateserial -extfile ext \
             -out {name}.crt"
        ),
    ] {
        openssl(dir, line);
    }
}

fn taken(dir: &Path, between: &str) -> Paper {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    Paper { cert: format!("{}{between}", read("own.crt")), key: read("own.key") }
}

/// Nobody vouches for it but itself.
pub(crate) fn self_signed(params: &CertificateParams) -> Paper {
    let key = KeyPair::generate().unwrap();
    Paper { cert: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// Runs openssl, which must succeed.
pub(crate) fn openssl(dir: &Path, line: &str) -> String {
    let output = Command::new("openssl").args(line.split(' ')).current_dir(dir).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {line}: {said}");
    said
}

/// As a key of RSA with so many bits.
pub(crate) fn rsa(bits: u32) -> String {
    format!("-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}")
}

/// As a key of the usual curve.
pub(crate) const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
