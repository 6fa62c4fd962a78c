//! What a `requestState` is good for, and what it is not (S12, S13).

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rounds::asker::{again, gateway, keys, params, refused, request, retry, send, text};
use crate::support::{Latch, TestGateway};

fn responses() -> Value {
    json!({ "q1": { "v": 1 }, "q2": { "v": 2 } })
}

async fn check_refused(gateway: &TestGateway, params: &Value, why: &str) {
    let answer = send(gateway, 9, params).await;
    assert!(refused(&answer).contains(why), "{answer}");
}

/// Whatever is wrong with a retry, the right one still works afterwards.
#[tokio::test]
async fn a_wrong_retry_is_refused_and_leaves_the_call_alone() {
    let gateway = gateway("", &Latch::new()).await;
    let plain = params("once");
    let asked = send(&gateway, 1, &plain).await;
    let right = again(&plain, &asked, responses());
    let state = right["requestState"].as_str().expect("a state").to_owned();

    let with = |change: &dyn Fn(&mut Value)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        wrong
    };
    let foreign = "not one that this request was answered with";
    for at in [0, state.len() / 2, state.len() - 1] {
        let mut altered = state.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("ASCII");
        let wrong = with(&|wrong| wrong["requestState"] = altered.as_str().into());
        check_refused(&gateway, &wrong, foreign).await;
    }
    let wrong = with(&|wrong| wrong["requestState"] = "".into());
    check_refused(&gateway, &wrong, foreign).await;
    let wrong = with(&|wrong| wrong["arguments"]["b"] = json!(2));
    check_refused(&gateway, &wrong, foreign).await;
    let wrong = with(&|wrong| wrong["extra"] = json!({}));
    check_refused(&gateway, &wrong, foreign).await;
    let wrong = with(&|wrong| wrong["name"] = "asker__thrice".into());
    check_refused(&gateway, &wrong, foreign).await;
    let wrong = with(&|wrong| wrong["requestState"] = json!(7));
    check_refused(&gateway, &wrong, "must be a string").await;
    let wrong = with(&|wrong| wrong["inputResponses"] = json!([]));
    check_refused(
        &gateway,
        &wrong,
        "`/params/inputResponses` must be an object",
    )
    .await;
    let wrong = with(&|wrong| wrong["inputResponses"]["q1"] = json!("x"));
    check_refused(
        &gateway,
        &wrong,
        "`/params/inputResponses/q1` must be an object",
    )
    .await;

    let answer = send(&gateway, 2, &right).await;
    assert_eq!(text(&answer), r#"{"v":1}"#);
    check_refused(&gateway, &right, "used already, or the call is over").await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_state_of_an_earlier_round_is_refused() {
    let gateway = gateway("", &Latch::new()).await;
    let plain = params("thrice");
    let first = send(&gateway, 1, &plain).await;
    let second = retry(&gateway, 2, (&plain, &first), responses()).await;
    check_refused(
        &gateway,
        &again(&plain, &first, responses()),
        "used already",
    )
    .await;
    let third = retry(&gateway, 3, (&plain, &second), responses()).await;
    assert_eq!(keys(&third), ["q3"]);
    let last = retry(&gateway, 4, (&plain, &third), json!({ "q3": {} })).await;
    assert!(text(&last).ends_with(" {}"));
    gateway.finish().await;
}

/// The order of members, white space and escapes are nobody's business.
#[tokio::test]
async fn a_retry_may_be_written_in_another_way() {
    let gateway = gateway("", &Latch::new()).await;
    let plain = params("once");
    let asked = send(&gateway, 1, &plain).await;
    let right = again(&plain, &asked, responses());
    let mut request = request(2, &right);
    let body = String::from_utf8(request.body).expect("text");
    let written = r#""arguments":{"b":1.5,"a":[{"y":1,"x":null}]}"#;
    assert!(body.contains(written), "{body}");
    let other = r#""arguments": { "\u0061" : [ {"x":null, "y" : 1} ], "b":1.5 }"#;
    request.body = body.replace(written, other).into_bytes();
    assert_eq!(text(&gateway.send(&request).await.json()), r#"{"v":1}"#);
    gateway.finish().await;
}

const ANN: &str = "tg_ann-0123456789abcdef0123456789abcdef";
const BOB: &str = "tg_bob-0123456789abcdef0123456789abcdef";

fn token(name: &str, token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[auth.tokens]]\nname = \"{name}\"\nsha256 = \"{digits}\"\n")
}

async fn send_as(gateway: &TestGateway, token: &str, params: &Value) -> Value {
    let request = request(1, params).header("authorization", &format!("Bearer {token}"));
    gateway.send(&request).await.json()
}

/// S12: whoever has the state is not therefore the one it was given to.
#[tokio::test]
async fn a_state_belongs_to_one_principal() {
    let config = format!(
        "[server.rounds]\nmax_per_principal = 1\n{}{}",
        token("ann", ANN),
        token("bob", BOB)
    );
    let gateway = gateway(&config, &Latch::new()).await;
    let plain = params("once");
    let asked = send_as(&gateway, ANN, &plain).await;
    let right = again(&plain, &asked, responses());
    let foreign = send_as(&gateway, BOB, &right).await;
    assert!(refused(&foreign).contains("not one that this request"));
    let over = send_as(&gateway, ANN, &plain).await;
    assert!(text(&over).contains("-32603"), "{over}");
    assert!(text(&over).contains("overloaded"), "{over}");
    let of_bob = send_as(&gateway, BOB, &plain).await;
    assert_eq!(keys(&of_bob), ["q1"]);
    for (token, asked) in [(ANN, &asked), (BOB, &of_bob)] {
        let answer = send_as(&gateway, token, &again(&plain, asked, responses())).await;
        assert_eq!(text(&answer), r#"{"v":1}"#);
    }
    gateway.finish().await;
}
