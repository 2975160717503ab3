// Written by `stead types --lang ts` from the app's schema. Do not edit.

/** A user of `users`. */
export interface User {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  email?: string | null;
  verified: boolean;
  display: string;
  phone?: string | null;
  prefs?: { theme?: "light" | "dark"; digest?: boolean };
}

export interface UserCreate {
  id?: string;
  display: string;
  phone?: string | null;
  prefs?: { theme?: "light" | "dark"; digest?: boolean };
}

export interface UserUpdate {
  display?: string;
  phone?: string | null;
  prefs?: { theme?: "light" | "dark"; digest?: boolean };
}

/** Where a record of `users` leads. */
export interface UserRelations {
  memberships: { many: "members" };
}

/** A record of `rooms`. */
export interface Room {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  name: string;
  kind: "public" | "private";
  /** id of `users` */
  owner: string;
}

export interface RoomCreate {
  id?: string;
  name: string;
  kind?: "public" | "private";
  /** id of `users` */
  owner?: string;
}

export interface RoomUpdate {
  name?: string;
  kind?: "public" | "private";
}

/** Where a record of `rooms` leads. */
export interface RoomRelations {
  owner: { one: "users" };
  members: { many: "members" };
  messages: { many: "messages" };
}

/** A record of `members`. */
export interface Member {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  user: string;
  role: "admin" | "member";
  muted_until: string | null;
}

export interface MemberCreate {
  id?: string;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  user: string;
  role?: "admin" | "member";
  muted_until?: string | null;
}

export interface MemberUpdate {
  role?: "admin" | "member";
  muted_until?: string | null;
}

/** Where a record of `members` leads. */
export interface MemberRelations {
  room: { one: "rooms" };
  user: { one: "users" };
}

/** A record of `messages`. */
export interface Message {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  author: string;
  body: string;
  tags: string[];
}

export interface MessageCreate {
  id?: string;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  author: string;
  body: string;
  tags?: string[];
}

export interface MessageUpdate {
  body?: string;
  tags?: string[];
}

/** Where a record of `messages` leads. */
export interface MessageRelations {
  room: { one: "rooms" };
  author: { one: "users" };
}

export interface Collections {
  users: { record: User; create: UserCreate; update: UserUpdate; relations: UserRelations };
  rooms: { record: Room; create: RoomCreate; update: RoomUpdate; relations: RoomRelations };
  members: { record: Member; create: MemberCreate; update: MemberUpdate; relations: MemberRelations };
  messages: { record: Message; create: MessageCreate; update: MessageUpdate; relations: MessageRelations };
}

/** The collection whose records are the users. */
export type UsersCollection = "users";
