//! Just enough of a pickle writer to make pyskl annotation files without Python.
//!
//! The opcodes are those that Python's own pickler emits in protocol 3 for plain data and numpy arrays.

/// A Python value.
#[derive(Clone, Debug)]
pub enum Py {
    /// `int`
    Int(i32),
    /// `str`
    Str(String),
    /// `list`
    List(Vec<Py>),
    /// `tuple`
    Tuple(Vec<Py>),
    /// `dict` with string keys
    Dict(Vec<(&'static str, Py)>),
    /// `numpy.ndarray` of float32, C order
    Array {
        /// Its shape.
        shape: Vec<usize>,
        /// Its values.
        values: Vec<f32>,
    },
    /// What a call of `module.name(argument)` would give: the way by which a pickle runs code.
    Call(&'static str, &'static str, Box<Py>),
}

/// A string.
pub fn text(value: &str) -> Py {
    Py::Str(value.to_owned())
}

/// The bytes of a pickle file with one value.
pub fn dump(value: &Py) -> Vec<u8> {
    let mut out = vec![0x80, 3];
    write(value, &mut out);
    out.push(b'.');
    out
}

fn write(value: &Py, out: &mut Vec<u8>) {
    match value {
        Py::Int(n) => {
            out.push(b'J');
            out.extend(n.to_le_bytes());
        }
        Py::Str(text) => counted(b'X', text.as_bytes(), out),
        Py::List(items) => {
            out.extend(b"](");
            items.iter().for_each(|item| write(item, out));
            out.push(b'e');
        }
        Py::Tuple(items) => {
            out.push(b'(');
            items.iter().for_each(|item| write(item, out));
            out.push(b't');
        }
        Py::Dict(entries) => {
            out.extend(b"}(");
            for (key, value) in entries {
                counted(b'X', key.as_bytes(), out);
                write(value, out);
            }
            out.push(b'u');
        }
        Py::Array { shape, values } => array(shape, values, out),
        Py::Call(module, name, argument) => {
            global(module, name, out);
            out.push(b'(');
            write(argument, out);
            out.extend(b"tR");
        }
    }
}

/// `numpy.core.multiarray._reconstruct(ndarray, (0,), b'b')` and its state, as numpy reduces an array.
fn array(shape: &[usize], values: &[f32], out: &mut Vec<u8>) {
    global("numpy.core.multiarray", "_reconstruct", out);
    out.push(b'(');
    global("numpy", "ndarray", out);
    write(&Py::Tuple(vec![Py::Int(0)]), out);
    counted(b'B', b"b", out);
    out.extend(b"tR(");
    write(&Py::Int(1), out);
    let size = |&n: &usize| Py::Int(i32::try_from(n).expect("test arrays are small"));
    write(&Py::Tuple(shape.iter().map(size).collect()), out);
    global("numpy", "dtype", out);
    out.push(b'(');
    write(&text("f4"), out);
    out.extend([0x89, 0x88]);
    out.extend(b"tR(");
    write(&Py::Int(3), out);
    write(&text("<"), out);
    out.extend(b"NNN");
    for number in [-1, -1, 0] {
        write(&Py::Int(number), out);
    }
    out.extend(b"tb");
    out.push(0x89);
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    counted(b'B', &bytes, out);
    out.extend(b"tb");
}

fn global(module: &str, name: &str, out: &mut Vec<u8>) {
    out.push(b'c');
    out.extend(format!("{module}\n{name}\n").bytes());
}

fn counted(opcode: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(opcode);
    out.extend(
        u32::try_from(bytes.len())
            .expect("test values are small")
            .to_le_bytes(),
    );
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_reads_what_is_written() {
        let Some(mut python) = crate::python(&["numpy"]) else {
            return;
        };
        let value = Py::Dict(vec![
            ("a", Py::List(vec![Py::Int(-2), text("é")])),
            (
                "x",
                Py::Array {
                    shape: vec![2, 1],
                    values: vec![0.5, -1.0],
                },
            ),
        ]);
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let path = folder.path().join("x.pkl");
        std::fs::write(&path, dump(&value)).expect("the temporary folder is writable");
        let code = "import pickle, sys; v = pickle.load(open(sys.argv[1], 'rb')); print(v['a'], v['x'].tolist(), v['x'].dtype)";
        let output = python
            .args(["-c", code])
            .arg(&path)
            .output()
            .expect("it ran before");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            "[-2, 'é'] [[0.5], [-1.0]] float32"
        );
    }
}
