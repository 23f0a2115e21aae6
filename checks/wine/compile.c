// compile.exe DXCOMPILER.DLL: compiles HLSL as wgpu does on Windows, with Microsoft's own compilers.
//
// It reads the files' paths from standard input, one a line. Their names say for which shader model they
// were written: `.sm51.hlsl` goes to FXC, `.sm60.hlsl` and `.sm66.hlsl` go to DXC. For each file it prints
// one line, and below it what the compiler says of a file that it refuses.
//
// Exit code: 0 all were compiled, 1 some were refused, 2 nothing was tried or a compiler is missing.
//
// The flags are those of wgpu-hal 30, src/dx12/shader_compilation.rs, in a release build.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#define COBJMACROS
#include <d3dcompiler.h>

// naga keeps this name.
#define ENTRY_POINT "main"

typedef struct {
    HRESULT status;
    ID3DBlob *code;
    // What the compiler said; it may be missing or empty.
    ID3DBlob *messages;
} Compiled;

// DXC

// mingw-w64 has no header for DXC. These are the parts of Microsoft's dxcapi.h that are used here. An
// interface is a pointer to a table of functions: the place of a function in the table is what counts,
// and IDxcBlob has the layout of ID3DBlob.

typedef struct {
    const void *text;
    SIZE_T size;
    UINT encoding;
} DxcBuffer;

typedef struct DxcResult DxcResult;
struct DxcResult {
    const struct {
        void *unknown[3];
        HRESULT(WINAPI *get_status)(DxcResult *, HRESULT *status);
        HRESULT(WINAPI *get_result)(DxcResult *, ID3DBlob **code);
        HRESULT(WINAPI *get_error_buffer)(DxcResult *, ID3DBlob **messages);
    } *table;
};

typedef struct DxcCompiler3 DxcCompiler3;
struct DxcCompiler3 {
    const struct {
        void *unknown[3];
        HRESULT(WINAPI *compile)(DxcCompiler3 *, const DxcBuffer *source, const wchar_t **arguments,
                                 UINT32 n_arguments, void *include_handler, const GUID *interface_id,
                                 void **result);
    } *table;
};

typedef HRESULT(WINAPI *DxcCreateInstance)(const GUID *class_id, const GUID *interface_id, void **instance);

static const GUID CLASS_DXC_COMPILER = {
    0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID INTERFACE_DXC_COMPILER3 = {
    0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID INTERFACE_DXC_RESULT = {
    0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};

static DxcCompiler3 *open_dxc(const char *path) {
    HMODULE library = LoadLibraryA(path);
    if (!library) {
        fprintf(stderr, "%s: Windows error %lu\n", path, GetLastError());
        exit(2);
    }
    DxcCreateInstance create = (DxcCreateInstance)(void *)GetProcAddress(library, "DxcCreateInstance");
    DxcCompiler3 *compiler = NULL;
    HRESULT status = create ? create(&CLASS_DXC_COMPILER, &INTERFACE_DXC_COMPILER3, (void **)&compiler) : E_NOTIMPL;
    if (FAILED(status)) {
        fprintf(stderr, "%s: no compiler in it, status %lx\n", path, (unsigned long)status);
        exit(2);
    }
    return compiler;
}

static Compiled compile_with_dxc(DxcCompiler3 *compiler, const char *text, SIZE_T size, const wchar_t *profile,
                                 bool has_16_bit_types) {
    const wchar_t *arguments[] = {
        L"-E", L"" ENTRY_POINT, L"-T", profile, L"-HV", L"2018", L"-no-warnings", L"-Ges", L"-enable-16bit-types",
    };
    UINT32 n_arguments = sizeof arguments / sizeof *arguments - (has_16_bit_types ? 0 : 1);
    DxcBuffer source = {text, size, CP_UTF8};
    DxcResult *result = NULL;
    Compiled compiled = {0};
    compiled.status = compiler->table->compile(compiler, &source, arguments, n_arguments, NULL,
                                               &INTERFACE_DXC_RESULT, (void **)&result);
    if (SUCCEEDED(compiled.status)) {
        result->table->get_status(result, &compiled.status);
        result->table->get_result(result, &compiled.code);
        result->table->get_error_buffer(result, &compiled.messages);
    }
    return compiled;
}

// FXC

static Compiled compile_with_fxc(const char *text, SIZE_T size, const char *path, const char *profile) {
    Compiled compiled = {0};
    compiled.status = D3DCompile(text, size, path, NULL, NULL, ENTRY_POINT, profile, D3DCOMPILE_ENABLE_STRICTNESS, 0,
                                 &compiled.code, &compiled.messages);
    return compiled;
}

// Files

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

// The text of a file, which the caller frees; null where it cannot be read.
static char *read_file(const char *path, SIZE_T *size) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    bool is_whole = text && fread(text, 1, *size, file) == *size;
    fclose(file);
    if (is_whole)
        return text;
    free(text);
    return NULL;
}

static const char *text_of(ID3DBlob *messages) {
    return messages && ID3D10Blob_GetBufferSize(messages) > 1 ? (const char *)ID3D10Blob_GetBufferPointer(messages) : "";
}

// Whether the file was compiled.
static bool compile_file(DxcCompiler3 *dxc, const char *path) {
    SIZE_T size;
    char *text = read_file(path, &size);
    if (!text) {
        printf("REFUSED  %s: it cannot be read\n", path);
        return false;
    }
    Compiled compiled;
    const char *compiler;
    bool is_refused;
    if (ends_with(path, ".sm51.hlsl")) {
        compiler = "FXC cs_5_1";
        compiled = compile_with_fxc(text, size, path, "cs_5_1");
        // What else it says are warnings.
        is_refused = FAILED(compiled.status);
    } else if (ends_with(path, ".sm60.hlsl") || ends_with(path, ".sm66.hlsl")) {
        // Adapters of shader model 6.6 have numbers of 16 bits, and wgpu turns them on.
        bool is_sm66 = ends_with(path, ".sm66.hlsl");
        compiler = is_sm66 ? "DXC cs_6_6" : "DXC cs_6_0";
        compiled = compile_with_dxc(dxc, text, size, is_sm66 ? L"cs_6_6" : L"cs_6_0", is_sm66);
        // wgpu refuses whatever DXC has something to say of.
        is_refused = FAILED(compiled.status) || *text_of(compiled.messages);
    } else {
        printf("REFUSED  %s: a name ends in .sm51.hlsl, .sm60.hlsl or .sm66.hlsl\n", path);
        free(text);
        return false;
    }
    if (is_refused)
        printf("REFUSED  %s  %s  status %lx\n%s", compiler, path, (unsigned long)compiled.status,
               text_of(compiled.messages));
    else
        printf("compiled %s  %s  %u bytes\n", compiler, path, (unsigned)ID3D10Blob_GetBufferSize(compiled.code));
    if (compiled.code)
        ID3D10Blob_Release(compiled.code);
    if (compiled.messages)
        ID3D10Blob_Release(compiled.messages);
    free(text);
    return !is_refused;
}

int main(int n_arguments, char **arguments) {
    if (n_arguments != 2) {
        fprintf(stderr, "expected the path of dxcompiler.dll, and paths on standard input\n");
        return 2;
    }
    DxcCompiler3 *dxc = open_dxc(arguments[1]);
    int n_files = 0, n_refused = 0;
    char path[4096];
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\r\n")] = 0;
        n_files++;
        if (!compile_file(dxc, path))
            n_refused++;
        fflush(stdout);
    }
    printf("%d files, %d refused\n", n_files, n_refused);
    if (n_files == 0)
        return 2;
    return n_refused > 0 ? 1 : 0;
}
