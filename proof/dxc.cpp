// DXC as a program: compiles the HLSL of standard input with the arguments that `dxc` would take, and writes the
// result to standard output. `--version` prints the library's version. The library is on the package registries,
// the program is not.
//
//   g++ -I HEADERS proof/dxc.cpp -o dxc LIBRARY -Wl,-rpath,FOLDER

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "dxcapi.h"

static int fail(const char *what, HRESULT code) {
    std::fprintf(stderr, "%s: error 0x%08x\n", what, static_cast<unsigned>(code));
    return 1;
}

static int print_version(IDxcCompiler3 *compiler) {
    IDxcVersionInfo *version = nullptr;
    HRESULT code = compiler->QueryInterface(__uuidof(IDxcVersionInfo), reinterpret_cast<void **>(&version));
    if (code != S_OK) return fail("IDxcVersionInfo", code);
    UINT32 major = 0, minor = 0, commits = 0;
    char *hash = nullptr;
    version->GetVersion(&major, &minor);
    std::printf("DXC %u.%u", major, minor);
    IDxcVersionInfo2 *commit = nullptr;
    if (version->QueryInterface(__uuidof(IDxcVersionInfo2), reinterpret_cast<void **>(&commit)) == S_OK &&
        commit->GetCommitInfo(&commits, &hash) == S_OK)
        std::printf(" (commit %u, %s)", commits, hash);
    std::printf("\n");
    return 0;
}

int main(int count, char **values) {
    IDxcCompiler3 *compiler = nullptr;
    HRESULT code =
        DxcCreateInstance(CLSID_DxcCompiler, __uuidof(IDxcCompiler3), reinterpret_cast<void **>(&compiler));
    if (code != S_OK) return fail("IDxcCompiler3", code);
    if (count == 2 && std::string(values[1]) == "--version") return print_version(compiler);

    std::vector<std::wstring> texts; // ASCII alone
    for (int i = 1; i < count; i++) {
        std::string text(values[i]);
        texts.emplace_back(text.begin(), text.end());
    }
    std::vector<LPCWSTR> arguments;
    for (const std::wstring &text : texts) arguments.push_back(text.c_str());

    std::string source;
    char part[1 << 16];
    while (size_t size = std::fread(part, 1, sizeof part, stdin)) source.append(part, size);

    DxcBuffer buffer = {source.data(), source.size(), CP_UTF8};
    IDxcResult *result = nullptr;
    code = compiler->Compile(&buffer, arguments.data(), static_cast<UINT32>(arguments.size()), nullptr,
                             __uuidof(IDxcResult), reinterpret_cast<void **>(&result));
    if (code != S_OK) return fail("Compile", code);

    IDxcBlobUtf8 *errors = nullptr;
    if (result->GetOutput(DXC_OUT_ERRORS, __uuidof(IDxcBlobUtf8), reinterpret_cast<void **>(&errors), nullptr) == S_OK &&
        errors != nullptr)
        std::fwrite(errors->GetStringPointer(), 1, errors->GetStringLength(), stderr);
    HRESULT status = S_OK;
    result->GetStatus(&status);
    if (status != S_OK) return 1;
    IDxcBlob *object = nullptr;
    code = result->GetOutput(DXC_OUT_OBJECT, __uuidof(IDxcBlob), reinterpret_cast<void **>(&object), nullptr);
    if (code != S_OK) return fail("the result", code);
    size_t size = object->GetBufferSize();
    bool written = std::fwrite(object->GetBufferPointer(), 1, size, stdout) == size && std::fflush(stdout) == 0;
    // Without the destructors of the library, which some versions run into each other.
    std::_Exit(written ? 0 : 1);
}
