// Entry of the LV2 plugin: the framework's, extended by files of the song for captures. MIT.
//
// A host with state:makePath gets each capture as a file in the song's folder, written once: later saves get another
// name of the same file. The framework does not support such files, so its keys bypass it here.
#include "plugin.cpp"

#define lv2_descriptor lv2_descriptor_of_framework
#include "DistrhoPluginMain.cpp"
#undef lv2_descriptor

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <unistd.h>
#include <utility>

namespace segue {

static std::atomic<const LV2_URID_Map*> known_map{nullptr};
constexpr size_t worth_a_file = 1024;

template <class T> static const T* feature(const LV2_Feature* const* features, const char* uri) {
    for (; features && *features; ++features)
        if (std::strcmp((*features)->URI, uri) == 0) return static_cast<const T*>((*features)->data);
    return nullptr;
}

static uint32_t number_of(const std::string& uri) {
    const LV2_URID_Map* map = known_map;
    return map ? map->map(map->handle, uri.c_str()) : 0;
}

// The role of the capture under a key of the framework; -1 for other keys.
static int role_of(uint32_t key) {
    const std::string prefix = DISTRHO_PLUGIN_LV2_STATE_PREFIX "captured_";
    for (int role = 0; role < n_roles; ++role)
        if (key && key == number_of(prefix + roles[role])) return role;
    return -1;
}

static uint32_t file_key(int role) { return number_of(std::string("urn:segue:captured_file_") + roles[role]); }

static std::string text_of(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

static bool holds(const char* path, const char* text, size_t size) {
    const std::string known = text_of(path);
    return known.size() == size && std::memcmp(known.data(), text, size) == 0;
}

// The last file with a role's capture of an instance.
static std::mutex files_guard;
static std::map<std::pair<LV2_Handle, int>, std::string> files;

static std::string last_file(LV2_Handle instance, int role, const char* now) {
    std::lock_guard<std::mutex> guard(files_guard);
    std::string& path = files[{instance, role}];
    std::string before = path;
    path = now;
    return before;
}

static bool put_text(const char* path, const std::string& before, const char* text, size_t size) {
    if (holds(path, text, size)) return true;
    if (before != path && holds(before.c_str(), text, size)) {
        unlink(path);
        if (link(before.c_str(), path) == 0) return true;
    }
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(text, static_cast<std::streamsize>(size));
    file.close();
    return !file.fail();
}

struct Paths {
    const LV2_State_Make_Path* make;
    const LV2_State_Map_Path* map;
    const LV2_State_Free_Path* free_path;
    void release(char* path) const {
        if (path && free_path) free_path->free_path(free_path->handle, path);
        if (path && !free_path) std::free(path);
    }
};

static Paths paths_of(const LV2_Feature* const* features) {
    return {feature<LV2_State_Make_Path>(features, LV2_STATE__makePath),
            feature<LV2_State_Map_Path>(features, LV2_STATE__mapPath),
            feature<LV2_State_Free_Path>(features, LV2_STATE__freePath)};
}

struct Saving {
    LV2_State_Store_Function store;
    LV2_State_Handle handle;
    Paths paths;
    LV2_Handle instance;
};

// Store a capture's text as a file, and its path in place of the text; false if the host offers no files.
static bool stored_as_file(const Saving& saving, int role, const void* value, size_t size) {
    const std::string name = std::string("captured_") + roles[role] + ".segue";
    char* path = saving.paths.make->path(saving.paths.make->handle, name.c_str());
    const size_t length = strnlen(static_cast<const char*>(value), size);
    const std::string before = path ? last_file(saving.instance, role, path) : "";
    bool stored = path && put_text(path, before, static_cast<const char*>(value), length);
    char* abstract = stored ? saving.paths.map->abstract_path(saving.paths.map->handle, path) : nullptr;
    stored = abstract && saving.store(saving.handle, file_key(role), abstract, std::strlen(abstract) + 1,
                                      number_of(LV2_ATOM__Path), LV2_STATE_IS_POD) == LV2_STATE_SUCCESS;
    saving.paths.release(abstract);
    saving.paths.release(path);
    return stored;
}

static LV2_State_Status store(LV2_State_Handle handle, uint32_t key, const void* value, size_t size, uint32_t type,
                              uint32_t flags) {
    const Saving& saving = *static_cast<const Saving*>(handle);
    const int role = size >= worth_a_file && saving.paths.make && saving.paths.map ? role_of(key) : -1;
    if (role >= 0 && stored_as_file(saving, role, value, size)) return LV2_STATE_SUCCESS;
    return saving.store(saving.handle, key, value, size, type, flags);
}

struct Restoring {
    LV2_State_Retrieve_Function retrieve;
    LV2_State_Handle handle;
    Paths paths;
    LV2_Handle instance;
    std::string texts[n_roles];
};

static const void* retrieve(LV2_State_Handle handle, uint32_t key, size_t* size, uint32_t* type, uint32_t* flags) {
    Restoring& restoring = *static_cast<Restoring*>(handle);
    const int role = role_of(key);
    const void* found = role < 0 ? nullptr : restoring.retrieve(restoring.handle, file_key(role), size, type, flags);
    if (!found) return restoring.retrieve(restoring.handle, key, size, type, flags);
    const char* abstract = static_cast<const char*>(found);
    const LV2_State_Map_Path* map = restoring.paths.map;
    char* path = map ? map->absolute_path(map->handle, abstract) : nullptr;
    std::string& text = restoring.texts[role];
    text = text_of(path ? path : abstract);
    last_file(restoring.instance, role, path ? path : abstract);
    restoring.paths.release(path);
    *size = text.size() + 1;
    *type = number_of(LV2_ATOM__String);
    return text.c_str();
}

static const LV2_Descriptor* framework(uint32_t index = 0) { return lv2_descriptor_of_framework(index); }

static const LV2_State_Interface& framework_state() {
    return *static_cast<const LV2_State_Interface*>(framework()->extension_data(LV2_STATE__interface));
}

static LV2_State_Status save(LV2_Handle instance, LV2_State_Store_Function to, LV2_State_Handle handle, uint32_t flags,
                             const LV2_Feature* const* features) {
    Saving saving{to, handle, paths_of(features), instance};
    return framework_state().save(instance, store, &saving, flags, features);
}

static LV2_State_Status restore(LV2_Handle instance, LV2_State_Retrieve_Function from, LV2_State_Handle handle,
                                uint32_t flags, const LV2_Feature* const* features) {
    Restoring restoring{from, handle, paths_of(features), instance, {}};
    return framework_state().restore(instance, retrieve, &restoring, flags, features);
}

static const LV2_State_Interface state = {save, restore};

static const void* extension_data(const char* uri) {
    return std::strcmp(uri, LV2_STATE__interface) == 0 ? &state : framework()->extension_data(uri);
}

static void cleanup(LV2_Handle instance) {
    {
        std::lock_guard<std::mutex> guard(files_guard);
        for (int role = 0; role < n_roles; ++role) files.erase({instance, role});
    }
    framework()->cleanup(instance);
}

static LV2_Handle instantiate(const LV2_Descriptor* about, double rate, const char* path,
                              const LV2_Feature* const* features) {
    if (const auto* map = feature<LV2_URID_Map>(features, LV2_URID__map)) known_map = map;
    return framework()->instantiate(about, rate, path, features);
}

}  // namespace segue

extern "C" DISTRHO_PLUGIN_EXPORT const LV2_Descriptor* lv2_descriptor(uint32_t index) {
    if (index > 0) return nullptr;
    static const LV2_Descriptor whole = [] {
        LV2_Descriptor about = *segue::framework();
        about.instantiate = segue::instantiate;
        about.cleanup = segue::cleanup;
        about.extension_data = segue::extension_data;
        return about;
    }();
    return &whole;
}
