/* Prints random groups and what the Java client's assignors make of them, in the
 * form that tests/consumer/test_assignors.c reads.
 *
 * Usage: java -cp 'JARS/*' Assignors.java SEED CASES */
import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.*;
import org.apache.kafka.common.protocol.types.*;

public class Assignors {
    static final Schema TOPIC = new Schema(new Field("topic", Type.STRING), new Field("partitions", new ArrayOf(Type.INT32)));
    static final Schema V0 = new Schema(new Field("previous_assignment", new ArrayOf(TOPIC)));
    static final Schema V1 = new Schema(new Field("previous_assignment", new ArrayOf(TOPIC)), new Field("generation", Type.INT32));
    static final String[] RACKS = {"a", "b", "c", "d"};

    static class Topic {
        String name;
        List<List<String>> racks = new ArrayList<>();
    }

    static class Member {
        String id, instance, rack;
        int generation = -1;
        List<String> topics = new ArrayList<>();
        List<TopicPartition> owned = new ArrayList<>();
        byte[] data;

        Subscription subscription() {
            Subscription s = new Subscription(topics, data == null ? null : ByteBuffer.wrap(data), owned, generation, Optional.ofNullable(rack));
            s.setGroupInstanceId(Optional.ofNullable(instance));
            return s;
        }
    }

    static Random random;
    static List<Topic> topics;
    static List<Member> members;
    static int next;

    static boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    static String uuid() {
        return new UUID(random.nextLong(), random.nextLong()).toString();
    }

    static Topic topic(boolean racks) {
        Topic t = new Topic();
        String[] stems = {"t", "topic-", "orders.", "A_", "Zz"};
        t.name = stems[random.nextInt(stems.length)] + next++;
        int n = chance(5) ? 0 : 1 + random.nextInt(chance(20) ? 30 : 6);
        for (int i = 0; i < n; i++)
            t.racks.add(racks(racks));
        return t;
    }

    static List<String> racks(boolean racks) {
        List<String> of = new ArrayList<>();
        for (int i = racks ? 1 + random.nextInt(3) : 1; i > 0; i--)
            of.add(racks && !chance(3) ? RACKS[random.nextInt(RACKS.length)] : null);
        return of;
    }

    static Member member(boolean racks, boolean statics) {
        Member m = new Member();
        m.id = (chance(50) ? "consumer-" + next++ + "-" : chance(5) ? "пр\uD83D\uDE00\uFB00" : "c") + (chance(50) ? uuid() : "" + next++);
        if (statics && chance(60))
            m.instance = "i" + (100 - next++);
        if (racks && !chance(10))
            m.rack = RACKS[random.nextInt(RACKS.length)];
        return m;
    }

    static void subscribe(Member m, boolean same) {
        m.topics.clear();
        for (Topic t : topics)
            if (same || chance(60))
                m.topics.add(t.name);
        if (chance(3))
            m.topics.add("missing");
        Collections.shuffle(m.topics, random);
    }

    static Cluster cluster() {
        List<PartitionInfo> infos = new ArrayList<>();
        for (Topic t : topics)
            for (int p = 0; p < t.racks.size(); p++) {
                Node[] nodes = new Node[t.racks.get(p).size()];
                for (int i = 0; i < nodes.length; i++)
                    nodes[i] = new Node(i, "h", 1, t.racks.get(p).get(i));
                infos.add(new PartitionInfo(t.name, p, null, nodes, nodes));
            }
        return new Cluster("c", Collections.emptyList(), infos, Collections.emptySet(), Collections.emptySet());
    }

    static Map<String, Assignment> run(ConsumerPartitionAssignor a) {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (Member m : members)
            subscriptions.put(m.id, m.subscription());
        return a.assign(cluster(), new GroupSubscription(subscriptions)).groupAssignment();
    }

    /* What a member sends as the sticky assignor's user data. */
    static byte[] data(Schema schema, List<TopicPartition> owned, int generation) {
        Map<String, List<Integer>> by = new TreeMap<>();
        for (TopicPartition p : owned)
            by.computeIfAbsent(p.topic(), t -> new ArrayList<>()).add(p.partition());
        Struct s = new Struct(schema);
        List<Struct> list = new ArrayList<>();
        by.forEach((t, ps) -> list.add(new Struct(TOPIC).set("topic", t).set("partitions", ps.toArray())));
        s.set("previous_assignment", list.toArray());
        if (schema == V1)
            s.set("generation", generation);
        ByteBuffer b = ByteBuffer.allocate(schema.sizeOf(s));
        schema.write(b, s);
        return b.array();
    }

    static void remember(Member m, List<TopicPartition> owned, int generation) {
        m.owned = new ArrayList<>(owned);
        m.generation = generation;
        int kind = random.nextInt(100);
        if (kind < 60)
            m.data = data(V1, owned, generation);
        else if (kind < 70)
            m.data = data(V0, owned, generation);
        else if (kind < 75)
            m.data = ByteBuffer.allocate(4).putInt(generation).array();
        else if (kind < 78)
            m.data = new byte[random.nextInt(12)];
        else
            m.data = null;
        if (kind >= 70 && kind < 75)
            m.generation = -1;
    }

    /* A group as it begins, or after some assignment and some changes. */
    static void group() {
        next = random.nextInt(1000);
        topics = new ArrayList<>();
        members = new ArrayList<>();
        boolean racks = chance(40), statics = chance(30), same = chance(45);
        int n = 1 + random.nextInt(6);
        for (int i = 0; i < n; i++)
            topics.add(topic(racks));
        n = 1 + random.nextInt(chance(10) ? 30 : 7);
        for (int i = 0; i < n; i++)
            members.add(member(racks, statics));
        for (Member m : members)
            subscribe(m, same);
        if (chance(25))
            return;
        ConsumerPartitionAssignor a = chance(50) ? new StickyAssignor() : chance(50) ? new RangeAssignor() : new RoundRobinAssignor();
        int rounds = 1 + random.nextInt(3), generation = random.nextInt(5);
        for (int round = 0; round < rounds; round++, generation++) {
            Map<String, Assignment> had;
            try {
                had = run(a);
            } catch (RuntimeException e) {
                return;
            }
            for (Member m : members)
                if (!chance(12))
                    remember(m, had.get(m.id).partitions(), generation);
            change(racks, statics, same);
        }
        if (chance(15))
            for (Member m : members)
                if (chance(40))
                    claim(m, generation);
    }

    static void change(boolean racks, boolean statics, boolean same) {
        int n = random.nextInt(3);
        for (int i = 0; i < n && members.size() > 1; i++)
            members.remove(random.nextInt(members.size()));
        n = random.nextInt(4);
        for (int i = 0; i < n; i++) {
            Member m = member(racks, statics);
            subscribe(m, same);
            members.add(m);
        }
        for (Topic t : topics)
            for (int i = 0; chance(15) && i < 4; i++)
                t.racks.add(racks(racks));
        if (chance(20))
            topics.add(topic(racks));
        for (Member m : members)
            if (!same && chance(15) || same && topics.size() > m.topics.size())
                subscribe(m, same);
        if (chance(30))
            Collections.shuffle(members, random);
    }

    /* Claims of what others own, too. */
    static void claim(Member m, int generation) {
        List<TopicPartition> owned = new ArrayList<>(m.owned);
        for (Topic t : topics)
            for (int p = 0; p < t.racks.size(); p++)
                if (chance(20) && !owned.contains(new TopicPartition(t.name, p)))
                    owned.add(new TopicPartition(t.name, p));
        remember(m, owned, generation - random.nextInt(3));
    }

    /* Whether the Java client gives a partition to a member that did not ask for it. */
    static boolean astray(Map<String, Assignment> got) {
        for (Member m : members)
            for (TopicPartition p : got.get(m.id).partitions())
                if (!m.topics.contains(p.topic()))
                    return true;
        return false;
    }

    static String hex(byte[] b) {
        StringBuilder s = new StringBuilder();
        for (byte x : b)
            s.append(String.format("%02x", x));
        return s.toString();
    }

    static String hex(ByteBuffer b) {
        byte[] copy = new byte[b.remaining()];
        b.duplicate().get(copy);
        return hex(copy);
    }

    static String or(String s) {
        return s == null ? "-" : s;
    }

    /* Topics by their place in the group; one that does not exist is -1. */
    static String index(String topic) {
        for (int i = 0; i < topics.size(); i++)
            if (topics.get(i).name.equals(topic))
                return "" + i;
        return "-1";
    }

    static String list(List<TopicPartition> partitions) {
        return partitions.isEmpty() ? "-" : partitions.stream().map(p -> index(p.topic()) + "/" + p.partition()).collect(Collectors.joining(" "));
    }

    /* Nothing when no rack is known. */
    static String racksOf(Topic t) {
        if (t.racks.stream().allMatch(r -> r.stream().allMatch(Objects::isNull)))
            return "";
        return t.racks.stream().map(r -> " " + r.stream().map(Assignors::or).collect(Collectors.joining(","))).collect(Collectors.joining());
    }

    static void print(StringBuilder out) {
        for (Topic t : topics)
            out.append("topic ").append(t.name).append(' ').append(t.racks.size()).append(racksOf(t)).append('\n');
        for (Member m : members) {
            out.append("member ").append(m.id).append(' ').append(or(m.instance)).append(' ').append(or(m.rack)).append(' ')
                .append(m.generation).append(' ').append(m.data == null ? "-" : "x" + hex(m.data)).append(' ')
                .append(m.topics.isEmpty() ? "-" : m.topics.stream().map(Assignors::index).collect(Collectors.joining(","))).append('\n');
            if (!m.owned.isEmpty())
                out.append("owned ").append(list(m.owned)).append('\n');
        }
    }

    static void bytes(StringBuilder out, Map<String, Assignment> got) {
        for (int i = 0; i < Math.min(2, members.size()); i++) {
            for (short v = 0; v <= 3; v++)
                out.append("wire-subscription ").append(i).append(' ').append(v).append(' ')
                    .append(hex(ConsumerProtocol.serializeSubscription(members.get(i).subscription(), v))).append('\n');
            Assignment a = got.get(members.get(i).id);
            out.append("wire-assignment ").append(i).append(' ').append(hex(ConsumerProtocol.serializeAssignment(a))).append('\n');
            for (ConsumerPartitionAssignor s : new ConsumerPartitionAssignor[] {new StickyAssignor(), new CooperativeStickyAssignor()}) {
                s.onAssignment(a, new ConsumerGroupMetadata("g", 7, "m", Optional.empty()));
                out.append("user-data ").append(i).append(' ').append(s.name()).append(' ').append(hex(s.subscriptionUserData(Collections.emptySet()))).append('\n');
            }
        }
    }

    public static void main(String[] args) {
        int cases = Integer.parseInt(args[1]), thrown = 0, astray = 0;
        random = new Random(Long.parseLong(args[0]));
        for (int i = 0; i < cases; i++) {
            StringBuilder out = new StringBuilder();
            Map<String, Assignment> last = null;
            group();
            print(out);
            for (ConsumerPartitionAssignor a : new ConsumerPartitionAssignor[] {
                new RangeAssignor(), new RoundRobinAssignor(), new StickyAssignor(), new CooperativeStickyAssignor()}) {
                Map<String, Assignment> got;
                try {
                    got = run(a);
                } catch (RuntimeException e) {
                    thrown++;
                    continue;
                }
                if (astray(got)) {
                    astray++;
                    continue;
                }
                out.append("assign ").append(a.name()).append('\n');
                for (Member m : members)
                    out.append(list(got.get(m.id).partitions())).append('\n');
                last = got;
            }
            if (i % 25 == 0 && last != null)
                bytes(out, last);
            System.out.print(out.append("end\n"));
        }
        System.err.println(cases + " groups; the Java client threw " + thrown + " times and went astray " + astray + " times");
    }
}
