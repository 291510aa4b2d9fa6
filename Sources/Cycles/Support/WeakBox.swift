/// A weak reference that can be set later.
///
/// For callbacks that are needed to create the object they refer to. Sound: set once, before any thread can call.
package final class WeakBox<Object: AnyObject & Sendable>: @unchecked Sendable {
    package weak var value: Object?

    package init(_ value: Object? = nil) { self.value = value }
}
