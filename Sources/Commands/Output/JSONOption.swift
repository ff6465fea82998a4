internal import ArgumentParser

/// The option that every command for scripts has.
struct JSONOption: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print one JSON object a line.")
    var isOn = false
}
