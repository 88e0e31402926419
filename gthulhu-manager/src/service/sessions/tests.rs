//! Sessions: what continues them, what ends them, and that an end is one.

use super::*;
use crate::service::testbed::{ADMIN, Bed, PASSWORD, stranger};
use crate::store::Store as _;

fn opened(bed: &Bed) -> Opened {
    bed.service.login(&stranger(), ADMIN, PASSWORD).unwrap()
}

fn refresh(bed: &Bed, token: &str) -> Result<Opened, String> {
    bed.service.refresh(&stranger(), token).map_err(|error| error.to_string())
}

fn good(bed: &Bed, opened: &Opened) -> bool {
    bed.service.caller(&opened.claims).is_ok()
}

fn verbs(bed: &Bed) -> Vec<String> {
    bed.audit().into_iter().map(|record| record.verb).collect()
}

#[test]
fn a_refresh_token_is_good_once_and_the_session_goes_on() {
    let bed = Bed::new();
    let first = opened(&bed);
    let second = refresh(&bed, &first.refresh_token).unwrap();
    assert_eq!(first.claims.sid, second.claims.sid);
    assert_ne!(first.refresh_token, second.refresh_token);
    assert!(good(&bed, &first) && good(&bed, &second), "the old access token lives out its time");
    let third = refresh(&bed, &second.refresh_token).unwrap();
    let bed = bed.restart();
    assert!(good(&bed, &third) && refresh(&bed, &third.refresh_token).is_ok(), "also after a restart");
    assert_eq!(verbs(&bed)[4..], ["session.open", "session.refresh", "session.refresh", "session.refresh"]);
}

#[test]
fn a_refresh_token_that_is_shown_twice_ends_the_session_for_everybody() {
    let bed = Bed::new();
    let (first, other) = (opened(&bed), opened(&bed));
    let second = refresh(&bed, &first.refresh_token).unwrap();
    assert_eq!(refresh(&bed, &first.refresh_token), Err("refresh token revoked".into()));
    assert!(!good(&bed, &first) && !good(&bed, &second));
    assert_eq!(refresh(&bed, &second.refresh_token), Err("refresh token not found".into()));
    assert!(good(&bed, &other) && refresh(&bed, &other.refresh_token).is_ok(), "another login goes on");
    let record = bed.audit().into_iter().find(|record| record.verb == "session.reuse").unwrap();
    assert_eq!((record.actor, record.from.as_str()), (first.claims.uid, "192.0.2.1"));
}

#[test]
fn a_logout_ends_its_session_and_one_of_all_ends_all() {
    let bed = Bed::new();
    let (first, second) = (opened(&bed), opened(&bed));
    bed.service.logout(&stranger(), &first.refresh_token).unwrap();
    assert!(!good(&bed, &first) && good(&bed, &second));
    let again = bed.service.logout(&stranger(), &first.refresh_token).unwrap_err();
    assert_eq!(again.to_string(), "refresh token not found");
    assert_eq!(bed.service.sessions(), 1);

    let caller = bed.service.caller(&second.claims).unwrap();
    bed.service.logout_all(&caller, "r-all").unwrap();
    assert!(!good(&bed, &second));
    assert!(refresh(&bed, &second.refresh_token).is_err());
    assert_eq!(bed.service.sessions(), 0);
    assert!(bed.service.logout_all(&caller, "").is_err(), "he is no caller any more");
    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb.as_str(), record.request_id.as_str()), ("session.close_all", "r-all"));
    assert!(good(&bed, &opened(&bed)), "and he may log in again");
}

#[test]
fn what_is_no_refresh_token_changes_nothing() {
    let bed = Bed::new();
    let opened = opened(&bed);
    let records = bed.audit().len();
    let token = &opened.refresh_token;
    let foreign = Ticket::make(None).0;
    for (shown, text) in [
        ("", "invalid refresh token"),
        ("garbage", "invalid refresh token"),
        (&token[1..], "invalid refresh token"),
        (&token.to_uppercase(), "invalid refresh token"),
        (&format!("{token}0"), "invalid refresh token"),
        (&"ä".repeat(48), "invalid refresh token"),
        (foreign.as_str(), "refresh token not found"),
    ] {
        assert_eq!(refresh(&bed, shown), Err(text.into()), "{shown}");
        assert_eq!(bed.service.logout(&stranger(), shown).unwrap_err().to_string(), text);
    }
    assert_eq!(bed.audit().len(), records);
    assert!(good(&bed, &opened));
}

#[test]
fn neither_the_store_nor_the_trail_has_a_token() {
    let bed = Bed::new();
    let first = opened(&bed);
    let second = refresh(&bed, &first.refresh_token).unwrap();
    let stored = format!("{:?}", bed.store.snapshot().unwrap());
    let trail = format!("{:?}", bed.audit());
    for token in [&first.refresh_token, &second.refresh_token] {
        for part in [&token[..32], &token[32..64], &token[64..]] {
            assert!(!stored.contains(part) && !trail.contains(part));
        }
    }
    assert!(!trail.contains("tokenHash"));
}

#[test]
fn a_session_dies_with_its_users_generation_status_and_time() {
    let bed = Bed::new();
    bed.add_user("eve", vec![]);
    let login = || bed.service.login(&stranger(), "eve", PASSWORD).unwrap();
    let opened = login();
    bed.change_user("eve", |user| user.token_version += 1);
    assert_eq!(refresh(&bed, &opened.refresh_token), Err("refresh token revoked".into()));

    let opened = login();
    bed.change_user("eve", |user| user.status = Status::Inactive);
    assert_eq!(refresh(&bed, &opened.refresh_token), Err("refresh token revoked".into()));
    bed.change_user("eve", |user| user.status = Status::Active);

    let opened = login();
    let later = |after: Duration| Origin { at_ms: super::after(now_ms(), after), ..stranger() };
    let late = bed.service.refresh(&later(REFRESH_TTL), &opened.refresh_token).unwrap_err();
    assert_eq!(late.to_string(), "refresh token revoked");
    // Refreshed in time, again and again, it still ends: then the password is due.
    let (mut token, mut days) = (opened.refresh_token, 0);
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    while let Ok(next) = bed.service.refresh(&later(hours(23 * (days + 1))), &token) {
        (token, days) = (next.refresh_token, days + 1);
    }
    assert_eq!(days, 31, "the last time 23 hours before the end of day 30");
}

#[test]
fn dead_sessions_are_cleared_away_and_nobody_has_too_many() {
    let bed = Bed::new();
    bed.add_user("eve", vec![]);
    bed.change_user("eve", |user| user.token_version += 1);
    let user = bed.service.world.state().user_named(ADMIN).unwrap().value.clone();
    let open = || bed.service.open_session(&stranger(), &user).unwrap();
    let first = open();
    assert_eq!(bed.service.world.state().sessions.len(), 1, "the dead one is gone");
    (1..SESSIONS_PER_USER).for_each(|_| drop(open()));
    assert!(good(&bed, &first));
    open();
    assert!(!good(&bed, &first), "the oldest made room");
    assert_eq!(bed.service.world.state().sessions.len(), SESSIONS_PER_USER);
}

#[test]
fn a_password_that_was_right_a_moment_ago_opens_nothing() {
    let bed = Bed::new();
    let user = bed.service.world.state().user_named(ADMIN).unwrap().value.clone();
    bed.change_user(ADMIN, |user| user.token_version += 1);
    assert!(matches!(bed.service.open_session(&stranger(), &user), Err(ServiceError::BadLogin)));
}
