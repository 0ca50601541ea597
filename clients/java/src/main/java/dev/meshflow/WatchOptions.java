package dev.meshflow;

/**
 * Which events a watch shows.
 *
 * @param afterSequence skips events up to and including this sequence
 * @param eventView "basic" or "full"; empty means the server's default, basic
 */
public record WatchOptions(int afterSequence, String eventView) {
    /** All events, in the basic view. */
    public static final WatchOptions DEFAULT = new WatchOptions(0, "");

    /**
     * Returns these options with another start.
     *
     * @param sequence last sequence not to show
     * @return the options
     */
    public WatchOptions after(int sequence) {
        return new WatchOptions(sequence, eventView);
    }

    /**
     * Returns these options with the full view: also each node's start and end, and each decision of a stage.
     *
     * @return the options
     */
    public WatchOptions full() {
        return new WatchOptions(afterSequence, "full");
    }
}
