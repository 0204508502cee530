# Sourced by ssl-cuda and gpu-check: finds CUDA's libraries and puts their folders into LD_LIBRARY_PATH.
#
# They are looked for where the system has them, in an installed toolkit, and among the packages of PyTorch
# (site-packages/nvidia). SSL_CUDA_LIBRARIES, folders with colons between, is looked at first; SSL_CUDA_PYTHON is the Python
# whose packages are looked at (python3).

folders() {
    printf '%s\n' "${SSL_CUDA_LIBRARIES:-}" | tr ':' '\n'
    for toolkit in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda /usr/local/cuda-13* /opt/cuda; do
        [ -n "$toolkit" ] || continue
        printf '%s\n' "$toolkit/lib64" "$toolkit/lib" "$toolkit/targets/x86_64-linux/lib"
    done
    "${SSL_CUDA_PYTHON:-python3}" - 2>/dev/null <<'PYTHON' || true
import glob, os, sys
for folder in sys.path:
    if folder:
        for pattern in ("nvidia/cu*/lib", "nvidia/*/lib", "torch/lib"):
            for found in sorted(glob.glob(os.path.join(folder, pattern))):
                print(found)
PYTHON
    # The driver's own library, where the loader doesn't know of it.
    printf '%s\n' /usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/x86_64-linux-gnu /usr/lib/wsl/lib
}

# The libraries that the program $1 asks for and nobody has.
missing() {
    LD_LIBRARY_PATH=$path ldd "$1" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' | sort -u
}

# Exports LD_LIBRARY_PATH so that the program $1 starts, or says what lacks and ends with 3.
find_libraries() {
    path=${LD_LIBRARY_PATH:-}
    lacking=$(missing "$1")
    if [ -n "$lacking" ]; then
        candidates=$(folders)
        for library in $lacking; do
            found=$(printf '%s\n' "$candidates" | while read -r folder; do
                if [ -n "$folder" ] && [ -e "$folder/$library" ]; then
                    printf '%s\n' "$folder"
                    break
                fi
            done)
            case ":$path:" in
            *":$found:"*) ;;
            *) path=${path:+$path:}$found ;;
            esac
        done
        lacking=$(missing "$1")
    fi
    if [ -n "$lacking" ]; then
        echo "error: not found:" $lacking >&2
        echo "hint: libcuda.so.1 comes with NVIDIA's driver, 580 or newer; the others with CUDA 13's toolkit or PyTorch for CUDA 13. SSL_CUDA_LIBRARIES=FOLDER:FOLDER names the folders that hold them; without a GPU, ssl computes on the processor" >&2
        exit 3
    fi
    export LD_LIBRARY_PATH="$path"
}
