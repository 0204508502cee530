//! `cargo xtask cuda-build`: the programs that run on NVIDIA's GPUs, built on a machine that needs neither a GPU nor CUDA.
//!
//! The toolkit is the installed one, or PyPI's under `target/tools`. Linking asks for the driver's library too, which comes
//! with a GPU: a stub of the functions that `cuda.h` declares stands in for it and is never shipped. What is built goes to
//! `target/cuda/programs`; its build folder is its own, so that the CPU's programs stay as they are.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cannot, run};
use crate::tools;
use crate::workspace::Workspace;

/// What pip is asked for. A driver refuses code of a newer toolkit than it knows: 13.0 asks for driver 580 or newer.
const REQUIREMENTS: [&str; 8] = [
    "nvidia-cuda-nvcc==13.0.*",
    "nvidia-cuda-crt==13.0.*",
    "nvidia-nvvm==13.0.*",
    "nvidia-cuda-runtime==13.0.*",
    "nvidia-cuda-cccl==13.0.*",
    "nvidia-cuda-nvrtc==13.0.*",
    "nvidia-cublas==13.0.*",
    "nvidia-curand==10.4.0.*",
];
/// The GPUs that are built for, Ampere and newer: code of 80 is compiled further by the driver of a newer one.
const COMPUTE_CAP: &str = "80";
/// What stands beside the programs: the scripts that find CUDA's libraries on another machine and start them, and PyTorch's
/// side of the check. All but the first two are read, not run.
const BESIDE: [(&str, &str); 5] = [
    ("ssl-cuda", include_str!("cuda/ssl-cuda")),
    ("gpu-check", include_str!("cuda/gpu-check")),
    ("cuda-libraries.sh", include_str!("cuda/cuda-libraries.sh")),
    (
        "torch/torch_ssl.py",
        include_str!("../../tests/reference/torch_ssl.py"),
    ),
    (
        "torch/bench_gpu.py",
        include_str!("../../tests/reference/bench_gpu.py"),
    ),
];
/// How many of them are run.
const SCRIPTS: usize = 2;

/// Builds what runs on a GPU. ARGS go to `cargo build`; with `clippy` as the first of them the sources are looked over in place
/// of it, and ARGS go to `cargo clippy`.
pub fn build(workspace: &Workspace, args: &[OsString]) -> Result<(), Failure> {
    let toolkit = provide(workspace)?;
    let folder = workspace.target().join("cuda");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(toolkit.join("bin")).chain(std::env::split_paths(&path)),
    );
    let path = path.map_err(|e| Failure::Task(format!("{}: {e}", toolkit.display())))?;
    let (subcommand, args) = match args.split_first() {
        Some((first, args)) if first == "clippy" => ("clippy", args),
        _ => ("build", args),
    };
    let mut cargo = workspace.build(subcommand)?;
    cargo
        .args(["--package", "ssl-cli", "--bin", "ssl"])
        .args(["--package", "strl", "--example", "gpu_check"])
        .args(["--features", "ssl-cli/cuda,strl/cuda"])
        .args(args)
        .env("CARGO_TARGET_DIR", folder.join("build"))
        .env("PATH", path);
    for name in ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"] {
        cargo.env(name, &toolkit);
    }
    if std::env::var_os("CUDA_COMPUTE_CAP").is_none() {
        cargo.env("CUDA_COMPUTE_CAP", COMPUTE_CAP);
    }
    eprintln!("xtask: CUDA's toolkit is {}", toolkit.display());
    run(&mut cargo)?;
    if subcommand == "clippy" {
        return Ok(());
    }
    let programs = folder.join("programs");
    for inner in ["programs", "torch"] {
        make(&programs.join(inner))?;
    }
    for built in ["ssl", "examples/gpu_check"] {
        let built = folder.join("build/release").join(built);
        let name = built.file_name().unwrap_or_default();
        ship(&built, &programs.join("programs").join(name))?;
    }
    for (at, (name, text)) in BESIDE.into_iter().enumerate() {
        let path = programs.join(name);
        write(&path, text)?;
        if at < SCRIPTS {
            run(Command::new("chmod").arg("755").arg(&path))?;
        }
    }
    println!("{}", workspace.shown(&programs).display());
    Ok(())
}

/// A copy without symbols and lines, which are most of it.
fn ship(built: &Path, to: &Path) -> Result<(), Failure> {
    run(Command::new("strip").arg("-o").arg(to).arg(built))
}

/// The toolkit's folder: what the environment names, that of the `nvcc` on PATH, the usual place, or one from PyPI.
fn provide(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let named = ["CUDA_HOME", "CUDA_PATH"].map(|name| std::env::var_os(name).map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter_map(|bin| {
        let nvcc = bin.join("nvcc").canonicalize().ok()?;
        Some(nvcc.ancestors().nth(2)?.to_owned())
    });
    let installed = named.into_iter().flatten().chain(on_path);
    let mut installed = installed.chain([PathBuf::from("/usr/local/cuda")]);
    if let Some(found) = installed.find(|root| serves(root)) {
        return Ok(found);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Failure::Task(
            "no CUDA toolkit: install NVIDIA's and set CUDA_HOME; one is fetched on Linux on x86-64 only".into(),
        ));
    }
    let folder = workspace.target().join("tools").join("cuda");
    let why = "no CUDA toolkit found, one has 1.2 GB unpacked";
    let root = tools::provide(&REQUIREMENTS, &folder, toolkit_in, why).map_err(|tried| {
        let tried = tried.join("\n  ");
        let hint = "hint: install CUDA 13.0 or newer and set CUDA_HOME to its folder";
        Failure::Task(format!(
            "CUDA's toolkit could not be fetched from PyPI:\n  {tried}\n{hint}"
        ))
    })?;
    complete(&root)?;
    Ok(root)
}

/// Whether a toolkit's compiler runs.
fn serves(root: &Path) -> bool {
    let outcome = Command::new(root.join("bin/nvcc"))
        .arg("--version")
        .output();
    outcome.is_ok_and(|output| output.status.success())
}

fn toolkit_in(folder: &Path) -> Option<PathBuf> {
    let root = folder.join("nvidia/cu13");
    serves(&root).then_some(root)
}

/// What the wheels lack of a toolkit: `lib64`, the names that a linker asks for, and the driver's stub.
fn complete(root: &Path) -> Result<(), Failure> {
    let (lib, stubs) = (root.join("lib"), root.join("lib/stubs"));
    link(Path::new("lib"), &root.join("lib64"))?;
    let entries = std::fs::read_dir(&lib).map_err(cannot("read", &lib))?;
    for entry in entries {
        let name = entry.map_err(cannot("read", &lib))?.file_name();
        let name = name.to_string_lossy();
        if let Some((library, _)) = name.split_once(".so.") {
            link(Path::new(&*name), &lib.join(format!("{library}.so")))?;
        }
    }
    let (stub, source) = (stubs.join("libcuda.so"), stubs.join("cuda.c"));
    if stub.exists() {
        return Ok(());
    }
    make(&stubs)?;
    let header = root.join("include/cuda.h");
    let header = std::fs::read_to_string(&header).map_err(cannot("read", &header))?;
    let functions = functions(&header).into_iter();
    let text: String = functions
        .map(|name| format!("void {name}(void) {{}}\n"))
        .collect();
    write(&source, &text)?;
    let mut cc = Command::new("cc");
    cc.args([
        "-shared",
        "-fPIC",
        "-nostdlib",
        "-Wl,-soname,libcuda.so.1",
        "-o",
    ]);
    run(cc.arg(&stub).arg(&source))
}

/// What the driver's library may be asked for: the functions that `cuda.h` declares, and the names of their newer versions
/// that it defines.
fn functions(header: &str) -> BTreeSet<&str> {
    let word = |text: &'_ str| -> usize {
        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(text.len())
    };
    let mut names = BTreeSet::new();
    for line in header.lines() {
        let declared = line
            .split_once("CUDAAPI ")
            .map(|(_, rest)| rest.trim_start());
        let defined = line.strip_prefix("#define cu").map(|rest| {
            let rest = &rest[word(rest)..];
            rest.trim_start()
        });
        for text in [declared, defined].into_iter().flatten() {
            let name = &text[..word(text)];
            let function = name
                .strip_prefix("cu")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
            // A pointer to a function is declared as `(CUDAAPI *name)`.
            if function {
                names.insert(name);
            }
        }
    }
    names
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(cannot("make", folder))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(cannot("write", path))
}

/// A symbolic link, unless something of this name is there.
fn link(to: &Path, at: &Path) -> Result<(), Failure> {
    if at.symlink_metadata().is_ok() {
        return Ok(());
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    let made = Err(std::io::Error::other(format!(
        "no link to {}",
        to.display()
    )));
    made.map_err(cannot("make", at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stub_has_the_functions_that_the_header_declares() {
        let header = "\
#define cuMemAlloc                          cuMemAlloc_v2
#define CUDA_VERSION 13000
    #define cuThisIsIndented 1
#define cuSomething __CUDA_API_PTSZ(cuSomething)
CUresult CUDAAPI cuInit(unsigned int Flags);
CUresult CUDAAPI cuMemAlloc(CUdeviceptr *dptr, size_t bytesize);
typedef void (CUDA_CB *CUhostFn)(void *userData);
typedef size_t (CUDAAPI *CUoccupancyB2DSize)(int blockSize);
";
        let found: Vec<&str> = functions(header).into_iter().collect();
        assert_eq!(found, ["cuInit", "cuMemAlloc", "cuMemAlloc_v2"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_made_once() {
        let folder = std::env::temp_dir().join(format!("xtask-link-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let at = folder.join("lib64");
        for _ in 0..2 {
            link(Path::new("lib"), &at).expect("it is there or can be made");
        }
        assert_eq!(std::fs::read_link(&at).expect("a link"), Path::new("lib"));
        tools::remove(&folder);
    }

    #[cfg(unix)]
    #[test]
    fn the_scripts_start_a_program_and_say_which_libraries_lack() {
        let folder = std::env::temp_dir().join(format!("xtask-script-{}", std::process::id()));
        make(&folder.join("programs")).expect("the temporary folder is writable");
        for (name, text) in &BESIDE[..3] {
            write(&folder.join(name), text).expect("the temporary folder is writable");
        }
        let start = || {
            let mut sh = Command::new("sh");
            let output = sh.arg(folder.join("ssl-cuda")).arg("started").output();
            let output = output.expect("a POSIX system has sh");
            let said = [output.stdout, output.stderr].concat();
            (
                output.status.code(),
                String::from_utf8_lossy(&said).into_owned(),
            )
        };
        let cc = |text: &str, output: &Path, others: &[&str]| {
            let source = folder.join("x.c");
            write(&source, text).expect("the temporary folder is writable");
            let mut cc = Command::new("cc");
            cc.arg("-o").args([output, &source]).args(others);
            assert!(cc.status().is_ok_and(|status| status.success()), "{cc:?}");
        };
        let program = folder.join("programs/ssl");
        std::fs::copy("/bin/echo", &program).expect("a system has echo");
        let whole = start();
        let library = folder.join("libnowhere.so");
        let shared = ["-shared", "-fPIC", "-Wl,-soname,libnowhere.so"];
        cc("int nowhere(void) { return 0; }\n", &library, &shared);
        let library = library.to_string_lossy();
        cc(
            "int nowhere(void);\nint main(void) { return nowhere(); }\n",
            &program,
            &[&library],
        );
        std::fs::remove_file(&*library).expect("it was built");
        let lacking = start();
        tools::remove(&folder);
        assert!(
            whole.0 == Some(0) && whole.1.contains("started"),
            "{whole:?}"
        );
        assert!(
            lacking.0 == Some(3) && lacking.1.contains("libnowhere.so"),
            "{lacking:?}"
        );
        assert!(lacking.1.contains("hint: "), "{lacking:?}");
    }
}
