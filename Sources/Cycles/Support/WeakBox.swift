/// Refers to an object that may be gone, or is not there yet.
///
/// For callbacks that are needed to make the very object they are about. It is set once, before anyone can call.
package final class WeakBox<Object: AnyObject & Sendable>: @unchecked Sendable {
    package weak var value: Object?

    package init(_ value: Object? = nil) { self.value = value }
}
