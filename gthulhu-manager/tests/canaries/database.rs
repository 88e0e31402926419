//! The same with the store in a database: who the manager is there, and what it is told about the way there.

use gthulhu_http::testkit::TestClient;
use gthulhu_local::mongo::{self, MongoServer};
use gthulhu_local::ports::Port;
use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use serde_json::json;
use tempfile::TempDir;

use super::{ADMIN, Manager, PROGRAM, Watch, command, toml, write};

const DATABASE: &str = "canaries";

/// Lets somebody in.
async fn admit(server: &MongoServer, user: &str, password: &str) {
    let uri = format!("mongodb://u:p@127.0.0.1:{}/?authSource=admin&directConnection=true", server.port());
    let mut options = ClientOptions::parse(uri).await.unwrap();
    let credential = options.credential.as_mut().unwrap();
    credential.username = Some(mongo::USER.into());
    credential.password = Some(mongo::PASSWORD.into());
    let admin = mongodb::Client::with_options(options).unwrap().database("admin");
    admin.run_command(doc! { "createUser": user, "pwd": password, "roles": ["root"] }).await.unwrap();
}

/// Asks until the store is as wanted, and hears what is said meanwhile.
async fn until_ready(watch: &mut Watch, client: &TestClient, wanted: bool) {
    loop {
        let told = client.get("/readyz?verbose").await.text().to_owned();
        let ready = told.contains("accepts changes");
        watch.heard("readiness", told);
        if ready == wanted {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_way_to_the_database_comes_out() {
    if let Err(reason) = mongo::program() {
        println!("SKIPPED nothing_of_the_way_to_the_database_comes_out: no MongoDB server: {reason}");
        return;
    }
    let (mut watch, place) = (Watch::default(), TempDir::new().unwrap());
    let mut server = MongoServer::start(place.path()).unwrap();
    let (user, password) = (watch.canary("mongodb.user"), watch.canary("mongodb.password"));
    admit(&server, &user, &password).await;
    watch.secret("the credentials of a URI", &format!("{user}:{password}"));
    let option = watch.canary("mongodb.options");
    let first = watch.canary("account.admin_password");
    let section = |host: &str, port: u16, user: &str, password: &str, options: &str| {
        format!(
            "[account]\nadmin_email = '{ADMIN}'\nadmin_password = '{first}'\n[store]\nkind = 'mongodb'\n\
             [mongodb]\nhost = '{host}'\nport = '{port}'\nuser = '{user}'\npassword = '{password}'\n\
             database = '{DATABASE}'\noptions = 'authSource=admin&directConnection=true&{options}'\n"
        )
    };
    let (state, config, here) = (place.path().join("state"), place.path().join("manager.toml"), "127.0.0.1");
    let made = std::process::Command::new(PROGRAM).arg("init").arg("--dir").arg(&state).output().unwrap();
    assert!(made.status.success());
    let named = format!("appName={option}");
    write(&config, &toml(&state, &section(here, server.port(), &user, &password, &named)));

    let manager = Manager::start(&config, &[]);
    let client = &manager.client;
    let login = client.post("/api/v1/auth/login", &json!({"username": ADMIN, "password": first})).await;
    let admin = client.bearer(login.data()["token"].as_str().unwrap());
    let new = |name: &str| json!({"username": name, "password": "a passphrase of somebody"});
    assert_eq!(admin.post("/api/v1/users", &new("ann")).await.status, 200);
    server.kill();
    let refused = admin.post("/api/v1/users", &new("bob")).await;
    assert_eq!(refused.status, 503);
    watch.heard("a refusal", refused.text());
    until_ready(&mut watch, client, false).await;
    server.restart().unwrap();
    until_ready(&mut watch, client, true).await;
    assert_eq!(admin.post("/api/v1/users", &new("bob")).await.status, 200);
    watch.heard("the metrics", client.get("/metrics").await.text());
    watch.heard("the audit trail", admin.get("/api/v1/audit").await.text());
    let log = manager.stop();
    assert!(log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""), "it is talkative");
    assert!(log.contains("the store is MongoDB"));
    watch.heard("the log", log);

    let (wrong, pasted, closed) =
        (watch.canary("a wrong password"), watch.canary("a URI as host"), Port::take().unwrap());
    let mut cases = vec![
        section(here, server.port(), &user, &wrong, &named),
        section(here, closed.number(), &user, &password, &named),
        section(&format!("mongodb://u:{pasted}@h"), 1, &user, &password, &named),
    ];
    for options in [
        "TWEET",
        "tls=TWEET",
        "authMechanism=TWEET",
        "tlsCertificateKeyFilePassword=TWEET",
        "x=TWEET",
        "ssl=true&readPreferenceTags=TWEET",
    ] {
        let options = options.replace("TWEET", &watch.canary(options));
        cases.push(section(here, closed.number(), &user, &password, &options));
    }
    for case in cases {
        write(&config, &toml(&state, &case));
        for words in [&["serve"][..], &["config", "check"], &["users", "list"]] {
            command(&mut watch, words, &config, &[]);
        }
    }
    watch.assert_silence(12);
}
