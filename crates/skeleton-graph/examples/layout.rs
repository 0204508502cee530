//! Shows a layout: `cargo run -p skeleton-graph --example layout -- NAME|FILE.toml`.

use std::error::Error;

use skeleton_graph::Layout;

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "coco17".to_owned());
    let layout = if wanted.ends_with(".toml") {
        Layout::from_toml(&std::fs::read_to_string(&wanted)?, &wanted)?
    } else {
        Layout::built_in(&wanted)?
    };
    let names = layout.joints();
    let mirror = layout.mirror();
    println!(
        "{}: {} joints, root {}",
        layout.name(),
        layout.len(),
        names[layout.root()]
    );
    for part in layout.parts() {
        println!("{}", part.name);
        for &joint in &part.joints {
            let parent = layout.parent(joint).map_or("-", |parent| &names[parent]);
            let image = &names[mirror[joint]];
            println!(
                "{joint:4} {:<20} on {parent:<20} mirrored {image}",
                names[joint]
            );
        }
    }
    Ok(())
}
