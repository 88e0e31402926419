//! The committed header is the one that the code makes, and nothing of the API goes unsaid.
//!
//! `GOLDEN=write` writes it anew.

use std::fs;
use std::path::Path;

fn made() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("its configuration");
    let inline = fs::read_to_string(root.join("include/inline.h")).expect("the inline part");
    config.trailer = Some(format!(
        "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n{inline}\n#ifdef __cplusplus\n}}\n#endif"
    ));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["error", "engine", "table", "lib"] {
        builder = builder.with_src(root.join(format!("src/{file}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().expect("a header").write(&mut header);
    String::from_utf8(header).expect("text")
}

#[test]
fn the_committed_header_is_the_one_that_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/gthulhu.h");
    let made = made();
    if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
        fs::write(&path, &made).expect("the header can be written");
    }
    let committed = fs::read_to_string(&path).expect("the header");
    assert!(
        made == committed,
        "bindings/include/gthulhu.h is not what the code makes: GOLDEN=write makes it anew"
    );
}
