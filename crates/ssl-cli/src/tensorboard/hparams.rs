//! What TensorBoard's tab HPARAMS shows of a run: its settings when it starts, and that it ended (tensorboard/plugins/hparams:
//! plugin_data.proto and api.proto).
//!
//! A summary of the whole experiment, with the settings and measures of all runs, is left out: a run doesn't know the others, and
//! of several such summaries TensorBoard believes the first. Without one it puts the columns together from all runs.

use crate::protobuf::Message;
use crate::run::Record;
use crate::tensorboard::event;

const PLUGIN: &str = "hparams";

/// Settings of the section `[run]` that say where things are or how fast, and nothing of what is learnt.
const LEFT_OUT: [&str; 5] = [
    "run.data",
    "run.encoder",
    "run.threads",
    "run.also",
    "run.skip_empty",
];

/// The settings of a run, under their dotted names, with the data set's name and which encoder was the start.
pub fn start(record: &Record, wall: f64) -> Message {
    let text = |text: &str| Message::new().string(3, text);
    let info = &record.info;
    let encoder = match &info.encoder {
        Some(encoder) => format!("{:.12}", encoder.sha256),
        None => "none".to_owned(),
    };
    let own = [
        ("command", text(info.command.name())),
        ("data", text(&info.data.dataset)),
        ("encoder", text(&encoder)),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let settings = settings(record).map(|(key, value)| {
        let value = match value {
            toml::Value::Boolean(value) => Message::new().uint(4, u64::from(*value)),
            toml::Value::Integer(value) => Message::new().double(2, *value as f64),
            toml::Value::Float(value) => Message::new().double(2, *value),
            toml::Value::String(value) => text(value),
            other => text(&other.to_string()),
        };
        (key.clone(), value)
    });
    let entries = own.into_iter().chain(settings);
    let entries = entries.map(|(key, value)| Message::new().string(1, &key).message(2, &value));
    let entries: Vec<Message> = entries.collect();
    let started = Message::new().messages(1, &entries).double(5, wall);
    summary("session_start_info", 3, &started)
}

/// The settings that decide what is learnt, by their dotted names.
pub fn settings(record: &Record) -> impl Iterator<Item = (&String, &toml::Value)> {
    let settings = record.settings.iter();
    settings.filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()))
}

/// That a run ended as it should.
pub fn end(wall: f64) -> Message {
    /// `STATUS_SUCCESS`
    const SUCCESS: u64 = 1;
    let ended = Message::new().uint(1, SUCCESS).double(2, wall);
    summary("session_end_info", 4, &ended)
}

fn summary(name: &str, field: u32, content: &Message) -> Message {
    let data = Message::new().message(field, content);
    event::of_plugin(&format!("_hparams_/{name}"), PLUGIN, &data)
}
