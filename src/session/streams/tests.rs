//! What streams keep, for whom, and what they drop.

use std::task::Poll;

use super::*;
use crate::model::caller::ClientProfile;
use crate::session::Session;
use crate::session::reader::Reader;

fn session(messages: usize, bytes: usize) -> Arc<Session> {
    let replay = Replay {
        messages,
        bytes,
        keep: Duration::from_secs(60),
    };
    let profile = Arc::new(ClientProfile::bare());
    Session::with_replay("s".into(), "p".into(), profile, replay)
}

fn reader(session: &Arc<Session>, stream: u64) -> Reader {
    Reader::of(session, stream).expect("the stream is there").0
}

/// The messages that are there to be read, and whether the stream ends behind them.
async fn read(reader: &mut Reader) -> (Vec<(EventId, String)>, bool) {
    let mut messages = Vec::new();
    loop {
        match futures::poll!(std::pin::pin!(reader.next())) {
            Poll::Ready(Some((id, message))) => {
                messages.push((id, String::from_utf8_lossy(&message).into_owned()));
            }
            Poll::Ready(None) => return (messages, true),
            Poll::Pending => return (messages, false),
        }
    }
}

async fn texts(reader: &mut Reader) -> (String, bool) {
    let (messages, over) = read(reader).await;
    let texts: Vec<String> = messages.into_iter().map(|(_, text)| text).collect();
    (texts.join(" "), over)
}

#[tokio::test]
async fn a_stream_ends_with_its_answer() {
    let session = session(16, 1000);
    let streams = session.streams();
    let stream = streams.open();
    assert!(streams.offer(stream, "a".into()) && streams.send(stream, "b".into()));
    let mut reader = reader(&session, stream);
    assert_eq!(texts(&mut reader).await, ("a b".to_owned(), false));
    streams.finish(stream, ["c".into()]);
    assert!(!streams.send(stream, "d".into()), "it is over");
    assert_eq!(texts(&mut reader).await, ("c".to_owned(), true));
    assert_eq!(streams.dropped(), 1);
}

#[tokio::test]
async fn who_comes_back_gets_what_came_after_on_that_stream_only() {
    let session = session(16, 1000);
    let streams = session.streams();
    let (one, two) = (streams.open(), streams.open());
    for (stream, text) in [(one, "a"), (two, "x"), (one, "b"), (two, "y")] {
        assert!(streams.offer(stream, text.into()));
    }
    let mut first = reader(&session, one);
    let (messages, _) = read(&mut first).await;
    let after_a = messages[0].0;
    let mut second = Reader::after(&session, after_a).expect("it is there");
    assert!(first.next().await.is_none(), "another reads it now");
    drop(first);
    assert_eq!(texts(&mut second).await, ("b".to_owned(), false));
    streams.finish(one, ["c".into()]);
    assert_eq!(texts(&mut second).await, ("c".to_owned(), true));
    drop(second);
    let mut third = Reader::after(&session, after_a).expect("it is there");
    assert_eq!(texts(&mut third).await, ("b c".to_owned(), true));
    assert_eq!(
        texts(&mut reader(&session, two)).await,
        ("x y".to_owned(), false)
    );
}

#[tokio::test]
async fn ids_of_nothing_are_unknown() {
    let (session, other) = (session(16, 1000), session(16, 1000));
    let stream = session.streams().open();
    assert!(session.streams().offer(stream, "a".into()));
    let (_, before) = Reader::of(&session, stream).expect("it is there");
    assert_eq!(before.to_string().parse(), Ok(before));
    other.streams().open();
    assert!(
        Reader::after(&other, before).is_none(),
        "of another session"
    );
    for change in [(9, 0), (0, 2), (0, u64::MAX)] {
        let id = EventId {
            stream: before.stream + change.0,
            number: before.number + change.1,
            ..before
        };
        assert!(Reader::after(&session, id).is_none(), "{id}");
    }
    for text in ["", "1", "a.b.c", "00000000.1", "00000000.1.-1", "1.2.3.4"] {
        assert_eq!(text.parse::<EventId>(), Err(BadEventId), "{text}");
    }
}

#[tokio::test]
async fn what_nobody_reads_is_dropped_at_a_bound_and_answers_are_not() {
    let session = session(16, 1000);
    let streams = session.streams();
    let (slow, other) = (streams.open(), streams.open());
    let mut unread = reader(&session, slow);
    let taken = (0..1000).filter(|_| streams.offer(slow, "x".into()));
    assert_eq!(taken.count(), MAX_MESSAGES);
    assert_eq!(streams.dropped(), 1000 - MAX_MESSAGES as u64);
    assert!(streams.send(slow, "question".into()));
    assert!(streams.offer(other, "y".into()), "another stream has room");
    streams.finish(slow, ["answer".into()]);
    let (text, over) = texts(&mut unread).await;
    assert!(text.ends_with("x question answer") && over);
    let large = Bytes::from(vec![b'x'; MAX_BYTES + 1]);
    let mut reader = reader(&session, other);
    assert_eq!(texts(&mut reader).await.0, "y");
    assert!(streams.offer(other, large.clone()), "one may be larger");
    assert!(!streams.offer(other, large));
}

#[tokio::test]
async fn copies_are_bounded_over_all_streams_and_the_oldest_go_first() {
    let session = session(4, 1000);
    let streams = session.streams();
    let old: Vec<u64> = (0..3).map(|_| streams.open()).collect();
    let mut ids = Vec::new();
    for stream in &old {
        let (mut reader, before) = Reader::of(&session, *stream).expect("it is there");
        ids.push(before);
        streams.offer(*stream, "a".into());
        streams.finish(*stream, ["b".into()]);
        assert_eq!(texts(&mut reader).await, ("a b".to_owned(), true));
    }
    assert_eq!(streams.held(), (4, 4));
    assert!(Reader::after(&session, ids[0]).is_none(), "it made room");
    for id in &ids[1..] {
        let mut reader = Reader::after(&session, *id).expect("it is kept");
        assert_eq!(texts(&mut reader).await, ("a b".to_owned(), true));
    }
    assert_eq!(streams.dropped(), 0, "all were read once");
}

#[tokio::test]
async fn bytes_are_bounded_and_a_single_answer_is_kept() {
    let session = session(100, 10);
    let streams = session.streams();
    for size in [4, 4, 4] {
        streams.offer(STANDALONE, vec![b'x'; size].into());
    }
    assert_eq!((streams.held(), streams.dropped()), ((2, 8), 1));
    let stream = streams.open();
    streams.finish(stream, [vec![b'y'; 50].into()]);
    assert_eq!(streams.held(), (1, 50));
    assert_eq!(texts(&mut reader(&session, stream)).await.0.len(), 50);
}

#[tokio::test]
async fn an_open_question_outlasts_the_bounds() {
    let session = session(2, 1000);
    let streams = session.streams();
    let stream = streams.open();
    streams.send(stream, "question".into());
    for _ in 0..10 {
        streams.offer(STANDALONE, "x".into());
    }
    let mut reader = reader(&session, stream);
    assert_eq!(texts(&mut reader).await, ("question".to_owned(), false));
}

#[tokio::test]
async fn without_room_nothing_is_kept_and_nothing_is_lost_on_its_way() {
    let session = session(0, 0);
    let streams = session.streams();
    let stream = streams.open();
    let (mut reader, before) = Reader::of(&session, stream).expect("it is there");
    streams.offer(stream, "a".into());
    streams.finish(stream, ["b".into()]);
    assert_eq!(texts(&mut reader).await, ("a b".to_owned(), true));
    drop(reader);
    assert_eq!(streams.held(), (0, 0));
    assert!(Reader::after(&session, before).is_none());
}

#[tokio::test]
async fn what_is_kept_is_forgotten_in_time() {
    let session = session(16, 1000);
    let streams = session.streams();
    let (running, over) = (streams.open(), streams.open());
    let (mut reader, before) = Reader::of(&session, running).expect("it is there");
    streams.offer(running, "a".into());
    assert_eq!(texts(&mut reader).await.0, "a");
    streams.offer(running, "b".into());
    streams.finish(over, ["c".into()]);
    session.sweep(Instant::now());
    assert_eq!(streams.held(), (3, 3));
    session.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(streams.held(), (1, 1), "what is on its way stays");
    assert!(Reader::of(&session, over).is_none());
    assert_eq!(texts(&mut reader).await.0, "b");
    drop(reader);
    assert!(Reader::after(&session, before).is_some());
}

#[tokio::test]
async fn what_is_told_while_nobody_listens_waits_for_who_comes() {
    let session = session(16, 1000);
    let streams = session.streams();
    assert!(streams.offer(STANDALONE, "a".into()));
    let (mut first, _) = Reader::standalone(&session).expect("there is one");
    assert_eq!(texts(&mut first).await, ("a".to_owned(), false));
    drop(first);
    assert!(streams.offer(STANDALONE, "b".into()));
    let (mut second, before) = Reader::standalone(&session).expect("there is one");
    assert_eq!(texts(&mut second).await.0, "b", "each goes out once");
    assert!(before.is_standalone());
    let mut third = Reader::after(&session, before).expect("it is there");
    assert_eq!(texts(&mut third).await.0, "b", "unless it is asked for");
}

#[tokio::test]
async fn who_waits_is_woken() {
    let session = session(16, 1000);
    let stream = session.streams().open();
    let mut reader = reader(&session, stream);
    let waiting = async { reader.next().await.map(|(_, message)| message) };
    let telling = async { session.streams().offer(stream, "a".into()) };
    let (message, told) = futures::join!(waiting, telling);
    assert_eq!((message.as_deref(), told), (Some(&b"a"[..]), true));
}

#[tokio::test]
async fn questions_that_nobody_fetches_are_bounded_too() {
    let session = session(4, 1000);
    let streams = session.streams();
    let stream = streams.open();
    let taken = (0..10_000).filter(|_| streams.send(stream, "?".into()));
    assert_eq!(taken.count(), QUESTIONS_ROOM * MAX_MESSAGES);
    streams.finish(stream, ["answer".into()]);
    let mut reader = reader(&session, stream);
    assert!(texts(&mut reader).await.0.ends_with("answer"));
    drop(reader);
    // Outside of calls nothing but the bounds of what is kept ends them.
    for _ in 0..10_000 {
        assert!(streams.send(STANDALONE, "?".into()));
    }
    assert_eq!(streams.held().0, 4);
}
